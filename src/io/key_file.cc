#include "src/io/key_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "src/base/status.h"
#include "src/base/unique_fd.h"

namespace mimi::internal {
namespace {

constexpr std::size_t kLeast = 16, kMost = 4096;

}  // namespace

absl::StatusOr<std::string> ReadKeyFile(const std::string& path) {
  // Non-blocking, so that a FIFO is refused rather than waited for.
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) {
    return Error(
        errno == ENOENT ? absl::StatusCode::kNotFound : absl::StatusCode::kFailedPrecondition,
        "key file {}: {}", path, std::strerror(errno));
  }
  struct stat file {};
  if (fstat(fd.get(), &file) != 0 || !S_ISREG(file.st_mode)) {
    return Error(absl::StatusCode::kFailedPrecondition, "key file {} is not a regular file", path);
  }
  if ((file.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "key file {} is open to others (mode {:o}, expected 600 or 400)", path,
                 file.st_mode & 07777U);
  }
  std::string key(kMost + 2, '\0');
  const ssize_t size = read(fd.get(), key.data(), key.size());
  if (size < 0) {
    return Error(absl::StatusCode::kFailedPrecondition, "key file {}: {}", path,
                 std::strerror(errno));
  }
  key.resize(static_cast<std::size_t>(size));
  if (!key.empty() && key.back() == '\n') {
    key.pop_back();
  }
  if (key.size() < kLeast || key.size() > kMost) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "key file {} holds {} bytes, expected {} to {} (openssl rand -hex 32)", path,
                 key.size(), kLeast, kMost);
  }
  return key;
}

}  // namespace mimi::internal
