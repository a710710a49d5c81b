#ifndef MIMI_SRC_BASE_UNIQUE_FD_H_
#define MIMI_SRC_BASE_UNIQUE_FD_H_

// UniqueFd: a file descriptor that is closed with its owner.
//
// Threads: one at a time. Lifetime: movable, owns the descriptor.

#include <unistd.h>

#include <utility>

namespace mimi {

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~UniqueFd() {
    if (fd_ >= 0) {
      close(fd_);
    }
  }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

}  // namespace mimi

#endif  // MIMI_SRC_BASE_UNIQUE_FD_H_
