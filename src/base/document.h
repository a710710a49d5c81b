#ifndef MIMI_SRC_BASE_DOCUMENT_H_
#define MIMI_SRC_BASE_DOCUMENT_H_

// Document: a TOML or JSON text as one kind of tree, each node with its place in the text, so that
// what reads definitions and rows is written once and can always say where.
//
// Parsing is bounded: the caller's limits on size, depth and number of nodes hold before memory is
// taken, and no exception of the parsers below gets out.
//
// Threads: values; any.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace mimi::internal {

/// Both count from 1; columns in characters.
struct Place {
  std::size_t line = 1;
  std::size_t column = 1;
};

struct Member;

struct Node {
  enum class Kind : std::uint8_t {
    kNull,
    kBool,
    kInteger,
    kReal,
    kText,
    kList,
    kTable,
    kOther,  ///< a TOML date or time
  };

  Kind kind = Kind::kNull;
  Place place;
  bool boolean = false;
  bool negative = false;  ///< kInteger is sign and magnitude: all of u64 and i64
  std::uint64_t magnitude = 0;
  double real = 0;
  std::string text;
  std::vector<Node> items;
  std::vector<Member> members;  ///< in the order of the text

  const Member* Find(std::string_view name) const;
};

struct Member {
  std::string name;
  Place place;
  Node value;
};

/// "a table", "text", …: what a message says was found.
std::string_view KindName(Node::Kind kind);

struct DocumentLimits {
  std::size_t bytes = 1 << 20;
  std::size_t depth = 16;
  std::size_t nodes = 1 << 16;
  std::size_t members = 1024;  ///< of one table
};

/// Errors: InvalidArgument "file:line:column: what".
absl::StatusOr<Node> ParseJson(std::string_view text, std::string_view file,
                               const DocumentLimits& limits = {});
absl::StatusOr<Node> ParseToml(std::string_view text, std::string_view file,
                               const DocumentLimits& limits = {});

/// Collects what is wrong in a document, a line "file:line:column: path: what" for each.
class Problems {
 public:
  explicit Problems(std::string_view file) : file_(file) {}

  /// `path` may be empty. After 20 lines only counts, so that a hostile text makes no endless
  /// message.
  void Add(Place place, std::string_view path, std::string_view what);
  bool empty() const { return count_ == 0; }
  /// OK, or InvalidArgument with all lines.
  absl::Status status() const;

 private:
  static constexpr std::size_t kShown = 20;
  std::string file_;
  std::string text_;
  std::size_t count_ = 0;
};

}  // namespace mimi::internal

#endif  // MIMI_SRC_BASE_DOCUMENT_H_
