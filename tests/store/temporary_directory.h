#ifndef MIMI_TESTS_STORE_TEMPORARY_DIRECTORY_H_
#define MIMI_TESTS_STORE_TEMPORARY_DIRECTORY_H_

// A directory of a test's own, gone with it.

#include <stdlib.h>

#include <filesystem>
#include <string>

#include <doctest/doctest.h>

namespace mimi {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "mimi-store-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::string Join(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace mimi

#endif  // MIMI_TESTS_STORE_TEMPORARY_DIRECTORY_H_
