#include "src/minion/netfilter/originals.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <sstream>

#include "src/base/status.h"
#include "src/base/unique_fd.h"

namespace mimi::internal {
namespace {

constexpr char kFirstLine[] = "mimi netfilter originals 1";
constexpr std::size_t kMaxSize = 64 * 1024;

absl::Status FileError(const std::string& path) {
  return Error(absl::StatusCode::kFailedPrecondition, "{}: {}", path, std::strerror(errno));
}

// Empty when there is no file. Errors: it cannot be read.
absl::StatusOr<std::string> ReadFile(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) {
    return errno == ENOENT ? absl::StatusOr<std::string>("") : FileError(path);
  }
  std::string text;
  char buffer[4096];
  ssize_t size = 0;
  while ((size = read(fd.get(), buffer, sizeof(buffer))) > 0 && text.size() < kMaxSize) {
    text.append(buffer, static_cast<std::size_t>(size));
  }
  return size < 0 ? FileError(path) : absl::StatusOr<std::string>(text);
}

}  // namespace

absl::StatusOr<Originals> Originals::Load(const std::string& directory, const std::string& pair,
                                          std::uint64_t name_space) {
  Originals originals;
  originals.directory_ = directory;
  originals.namespace_ = name_space;
  originals.path_ = fmt::format("{}/netfilter-{}-{}.saved", directory, pair, name_space);
  const absl::StatusOr<std::string> boot = ReadFile("/proc/sys/kernel/random/boot_id");
  if (boot.ok()) {
    originals.boot_ = boot->substr(0, boot->find('\n'));
  }
  const absl::StatusOr<std::string> text = ReadFile(originals.path_);
  if (!text.ok()) {
    return text.status();
  }
  if (!text->empty() && !originals.Parse(*text)) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "{}: expected '{}' and lines of name and value; move it away if it is not needed",
                 originals.path_, kFirstLine);
  }
  return originals;
}

bool Originals::Parse(const std::string& text) {
  std::istringstream lines(text);
  std::string line;
  if (!std::getline(lines, line) || line != kFirstLine) {
    return false;
  }
  std::map<std::string, std::string> values;
  while (std::getline(lines, line)) {
    const std::size_t space = line.find(' ');
    if (space == std::string::npos) {
      return false;
    }
    values[line.substr(0, space)] = line.substr(space + 1);
  }
  exists_ = values["boot"] == boot_ && values["namespace"] == std::to_string(namespace_);
  values.erase("boot");
  values.erase("namespace");
  if (exists_) {
    values_ = std::move(values);
  }
  return true;
}

absl::Status Originals::Save() {
  if (mkdir(directory_.c_str(), 0700) != 0 && errno != EEXIST) {
    return FileError(directory_);
  }
  std::string text = fmt::format("{}\nboot {}\nnamespace {}\n", kFirstLine, boot_, namespace_);
  for (const auto& [name, value] : values_) {
    text += fmt::format("{} {}\n", name, value);
  }
  const std::string fresh = path_ + ".new";
  unlink(fresh.c_str());
  {
    const UniqueFd fd(open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd.valid() ||
        write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
        fsync(fd.get()) != 0) {
      return FileError(fresh);
    }
  }
  if (rename(fresh.c_str(), path_.c_str()) != 0) {
    return FileError(path_);
  }
  const UniqueFd directory(open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid() || fsync(directory.get()) != 0) {
    return FileError(directory_);
  }
  exists_ = true;
  return absl::OkStatus();
}

absl::Status Originals::Remove() {
  exists_ = false;
  return unlink(path_.c_str()) == 0 || errno == ENOENT ? absl::OkStatus() : FileError(path_);
}

}  // namespace mimi::internal
