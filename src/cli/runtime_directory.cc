#include "src/cli/runtime_directory.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace mimi::cli {

std::string RuntimeDirectory() {
  for (const char* const name : {"MIMI_RUNTIME_DIR", "RUNTIME_DIRECTORY"}) {
    if (const char* const value = std::getenv(name); value != nullptr && *value != '\0') {
      return value;
    }
  }
  if (geteuid() == 0) {
    return "/run/mimi";
  }
  const char* const user = std::getenv("XDG_RUNTIME_DIR");
  return user == nullptr || *user == '\0' ? "" : std::string(user) + "/mimi";
}

std::string SocketPath(const config::Config& config) {
  if (!config.control.socket.empty()) {
    return config.control.socket;
  }
  const std::string directory = RuntimeDirectory();
  if (directory.empty()) {
    return "";
  }
  return directory + "/" + config.pair +
         (config.roles == config.configured ? "" : "." + config::RolesText(config.roles)) + ".sock";
}

std::vector<std::string> FindSockets(const std::string& pair) {
  std::vector<std::string> paths;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(RuntimeDirectory(), error)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".sock") && (pair.empty() || name.starts_with(pair + "."))) {
      paths.push_back(entry.path().string());
    }
  }
  std::ranges::sort(paths);
  return paths;
}

}  // namespace mimi::cli
