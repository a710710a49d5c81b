#include "src/io/redis_reply.h"

#include <charconv>

#include <hiredis/hiredis.h>

namespace mimi::internal {

bool RedisValue::is_nil() const {
  return value_ == nullptr || value_->type == REDIS_REPLY_NIL;
}

bool RedisValue::is_error() const {
  return value_ != nullptr && value_->type == REDIS_REPLY_ERROR;
}

bool RedisValue::is_array() const {
  return value_ != nullptr && value_->type == REDIS_REPLY_ARRAY;
}

std::string_view RedisValue::text() const {
  if (value_ == nullptr || value_->str == nullptr ||
      (value_->type != REDIS_REPLY_STRING && value_->type != REDIS_REPLY_STATUS &&
       value_->type != REDIS_REPLY_ERROR)) {
    return {};
  }
  return {value_->str, static_cast<std::size_t>(value_->len)};
}

std::uint64_t RedisValue::number() const {
  if (value_ != nullptr && value_->type == REDIS_REPLY_INTEGER) {
    return static_cast<std::uint64_t>(value_->integer);
  }
  std::uint64_t number = 0;
  const std::string_view digits = text();
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return number;
}

std::size_t RedisValue::size() const {
  return is_array() ? static_cast<std::size_t>(value_->elements) : 0;
}

RedisValue RedisValue::operator[](std::size_t i) const {
  return i < size() ? RedisValue(value_->element[i]) : RedisValue();
}

RedisReply::~RedisReply() {
  if (reply_ != nullptr) {
    freeReplyObject(reply_);
  }
}

}  // namespace mimi::internal
