#ifndef MIMI_SRC_IO_REDIS_REPLY_H_
#define MIMI_SRC_IO_REDIS_REPLY_H_

// One answer of a Redis server: hiredis' tree of values, read without seeing hiredis.
//
//   RedisReply reply = …;
//   if (reply.view().is_error()) { … reply.view().text() … }
//   for (std::size_t i = 0; i < reply.view().size(); ++i) { reply.view()[i].integer(); }
//
// A value that is not what is asked for reads as empty, 0 or nil: a server that answers nonsense is
// noticed by who checks what it got, and never crashes us.
//
// Threads: values; one at a time. Lifetime: a RedisValue is a view of its RedisReply.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

struct redisReply;

namespace mimi::internal {

class RedisValue {
 public:
  RedisValue() = default;
  explicit RedisValue(const redisReply* value) : value_(value) {}

  bool is_nil() const;
  bool is_error() const;
  bool is_array() const;
  /// Of a string, a status or an error.
  std::string_view text() const;
  /// Of an integer, or of a string that is one.
  std::uint64_t number() const;
  /// Elements of an array.
  std::size_t size() const;
  RedisValue operator[](std::size_t i) const;

 private:
  const redisReply* value_ = nullptr;
};

class RedisReply {
 public:
  RedisReply() = default;
  /// Takes what a redisReader made.
  explicit RedisReply(redisReply* reply) : reply_(reply) {}
  ~RedisReply();
  RedisReply(RedisReply&& other) noexcept : reply_(std::exchange(other.reply_, nullptr)) {}
  RedisReply& operator=(RedisReply&& other) noexcept {
    std::swap(reply_, other.reply_);
    return *this;
  }

  RedisValue view() const { return RedisValue(reply_); }

 private:
  redisReply* reply_ = nullptr;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_IO_REDIS_REPLY_H_
