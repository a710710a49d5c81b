#include "src/io/resolver.h"

#include <netdb.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstring>
#include <system_error>
#include <thread>
#include <utility>

#include "src/base/status.h"
#include "src/base/unique_fd.h"

namespace mimi::internal {
namespace {

using Found = absl::StatusOr<std::vector<SocketAddress>>;

Found LookUp(const std::string& host, std::uint16_t port, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int error = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  if (error != 0) {
    return Error(absl::StatusCode::kUnavailable, "{}: {}", host, gai_strerror(error));
  }
  std::vector<SocketAddress> addresses;
  for (const addrinfo* each = list; each != nullptr; each = each->ai_next) {
    SocketAddress& address = addresses.emplace_back();
    std::memcpy(&address.storage, each->ai_addr, each->ai_addrlen);
    address.size = each->ai_addrlen;
  }
  freeaddrinfo(list);
  return addresses;
}

// What the thread and the asker share. The thread writes `found`, then the bell: reading the bell
// orders the two.
struct Answer {
  UniqueFd bell{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  Found found = std::vector<SocketAddress>();
};

class Question {
 public:
  Question(Loop& loop, ResolvedCallback done) : loop_(loop), done_(std::move(done)) {}
  ~Question() {
    if (watching_) {
      loop_.UnwatchFd(answer_->bell.get());
    }
  }
  Question(const Question&) = delete;
  Question& operator=(const Question&) = delete;

  absl::Status Ask(const std::string& host, std::uint16_t port) {
    if (!answer_->bell.valid()) {
      return Error(absl::StatusCode::kUnavailable, "{}: no descriptor left", host);
    }
    absl::Status watched = loop_.WatchFd(answer_->bell.get(), kReadable, [this](std::uint32_t) {
      std::uint64_t rung = 0;
      if (read(answer_->bell.get(), &rung, sizeof rung) == sizeof rung) {
        loop_.UnwatchFd(answer_->bell.get());
        watching_ = false;
        const ResolvedCallback done = std::move(done_);
        done(std::move(answer_->found));
      }
    });
    if (!watched.ok()) {
      return watched;
    }
    watching_ = true;
    try {
      std::thread([answer = answer_, host, port] {
        answer->found = LookUp(host, port, AI_ADDRCONFIG);
        const std::uint64_t one = 1;
        [[maybe_unused]] const ssize_t rung = write(answer->bell.get(), &one, sizeof one);
      }).detach();
    } catch (const std::system_error& error) {
      return Error(absl::StatusCode::kUnavailable, "{}: no thread: {}", host, error.what());
    }
    return absl::OkStatus();
  }

 private:
  Loop& loop_;
  ResolvedCallback done_;
  std::shared_ptr<Answer> answer_ = std::make_shared<Answer>();
  bool watching_ = false;
};

}  // namespace

std::shared_ptr<void> Resolve(const std::string& host, std::uint16_t port, Loop& loop,
                              ResolvedCallback done) {
  Found found = LookUp(host, port, AI_NUMERICHOST);
  if (!found.ok()) {
    auto question = std::make_shared<Question>(loop, done);
    const absl::Status asked = question->Ask(host, port);
    if (asked.ok()) {
      return question;
    }
    found = asked;
  }
  auto token = std::make_shared<int>(0);
  loop.Post([weak = std::weak_ptr<int>(token), found = std::move(found), done = std::move(done)] {
    if (weak.lock() != nullptr) {
      done(found);
    }
  });
  return token;
}

}  // namespace mimi::internal
