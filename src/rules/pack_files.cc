#include "src/rules/pack_files.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <system_error>

#include "src/base/status.h"
#include "src/base/suggest.h"

namespace mimi::rules {
namespace {

constexpr std::size_t kMaxSize = 1 << 20;

bool IsPackName(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

std::set<std::string> PacksIn(const std::vector<std::string>& directories) {
  std::set<std::string> names;
  for (const std::string& directory : directories) {
    std::error_code error;
    for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end;
         at.increment(error)) {
      if (at->path().extension() == ".toml") {
        names.insert(at->path().stem().string());
      }
    }
  }
  return names;
}

}  // namespace

std::vector<std::string> PackDirectories(const std::string& directory) {
  if (!directory.empty()) {
    return {directory};
  }
  std::vector<std::string> directories;
  if (const char* const named = std::getenv("MIMI_PACKS"); named != nullptr && *named != '\0') {
    directories.emplace_back(named);
  }
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) {
    directories.push_back((program.parent_path().parent_path() / "share/mimi/packs").string());
  }
  directories.emplace_back(MIMI_PACK_DIRECTORY);
  return directories;
}

absl::StatusOr<RuleText> ReadPackFile(const std::string& name, const std::string& directory) {
  if (!IsPackName(name)) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "\"{}\" is no name of a pack: expected letters, digits and hyphens", name);
  }
  const std::vector<std::string> directories = PackDirectories(directory);
  for (const std::string& place : directories) {
    std::error_code error;
    const std::string path = place + "/" + name + ".toml";
    if (std::filesystem::exists(path, error)) {
      return ReadRuleFile(path);
    }
  }
  const std::set<std::string> there = PacksIn(directories);
  const std::vector<std::string_view> names(there.begin(), there.end());
  std::string list;
  for (const std::string& known : there) {
    list += (list.empty() ? "" : ", ") + known;
  }
  return Error(absl::StatusCode::kNotFound, "there is no pack \"{}\"{}; there are: {}", name,
               DidYouMean(name, names), list.empty() ? "none" : list);
}

absl::StatusOr<RuleText> ReadRuleFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return Error(absl::StatusCode::kNotFound, "{}: {}", path, std::strerror(errno));
  }
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {  // it can be opened, and is empty to read
    return Error(absl::StatusCode::kInvalidArgument, "{}: a directory, expected a rule file", path);
  }
  RuleText text;
  text.name = path;
  text.text.resize(kMaxSize + 1);  // no more, however long the file is
  file.read(text.text.data(), static_cast<std::streamsize>(text.text.size()));
  if (file.bad()) {
    return Error(absl::StatusCode::kUnavailable, "{}: cannot be read: {}", path,
                 std::strerror(errno));
  }
  text.text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.text.size() > kMaxSize) {
    return Error(absl::StatusCode::kInvalidArgument, "{}: longer than {} bytes", path, kMaxSize);
  }
  return text;
}

absl::StatusOr<std::vector<RuleText>> ReadRules(const std::vector<std::string>& files,
                                                const std::vector<std::string>& packs,
                                                const std::string& pack_directory) {
  std::vector<RuleText> texts;
  for (const std::string& path : files) {
    absl::StatusOr<RuleText> text = ReadRuleFile(path);
    if (!text.ok()) {
      return text.status();
    }
    texts.push_back(*std::move(text));
  }
  for (const std::string& pack : packs) {
    absl::StatusOr<RuleText> text = ReadPackFile(pack, pack_directory);
    if (!text.ok()) {
      return text.status();
    }
    texts.push_back(*std::move(text));
  }
  return texts;
}

}  // namespace mimi::rules
