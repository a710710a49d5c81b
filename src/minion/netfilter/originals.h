#ifndef MIMI_SRC_MINION_NETFILTER_ORIGINALS_H_
#define MIMI_SRC_MINION_NETFILTER_ORIGINALS_H_

// Originals: what sysctls held before a minion changed them, on disc, so that `mimi minion remove`
// can put them back long after the program that changed them is gone.
//
//   mimi netfilter originals 1
//   boot 7a3c…                         the machine's boot id: sysctls do not outlive it
//   namespace 4026531840
//   nf_conntrack_tcp_loose 1
//
// Threads: any; blocks for the disc.

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace mimi::internal {

class Originals {
 public:
  /// Of one pair in one namespace. What was saved before the machine started, or in a namespace
  /// that is gone, counts as not there.
  /// Errors: FailedPrecondition (the directory or file cannot be read, or is not ours).
  static absl::StatusOr<Originals> Load(const std::string& directory, const std::string& pair,
                                        std::uint64_t name_space);

  /// Whether something is saved.
  bool exists() const { return exists_; }
  const std::map<std::string, std::string>& values() const { return values_; }
  void Set(const std::string& name, const std::string& value) { values_[name] = value; }
  const std::string& path() const { return path_; }

  /// Replaces the file in one step, and waits for the disc.
  absl::Status Save();
  absl::Status Remove();

 private:
  bool Parse(const std::string& text);

  std::string directory_;
  std::string path_;
  std::string boot_;
  std::uint64_t namespace_ = 0;
  bool exists_ = false;
  std::map<std::string, std::string> values_;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_MINION_NETFILTER_ORIGINALS_H_
