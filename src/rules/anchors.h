#ifndef MIMI_SRC_RULES_ANCHORS_H_
#define MIMI_SRC_RULES_ANCHORS_H_

// Anchors: finds which rules can match a line, by a literal of each, in one pass.
//
// Three bytes of each literal's begin, at each of the places that a fixed stride can meet, are in a
// table; a line is looked at once per stride, so that most lines never touch more than the table,
// and a hundred literals cost what one costs. The places do not depend on what was found at the one
// before (as with S. Wu, U. Manber, "A fast algorithm for multi-pattern searching", 1994), so the
// processor looks at several at a time.
//
// Threads: constant once built; any.

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mimi::rules {

class Anchors {
 public:
  static constexpr std::size_t kMinSize = 4;  ///< of a literal; the shortest bounds the stride

  /// `id` is what a hit tells; several literals may have one id, several ids one literal.
  void Add(std::string_view literal, std::uint32_t id);
  /// After the last Add().
  void Build();

  struct Hit {
    std::size_t at = 0;       ///< where the literal begins
    std::uint32_t first = 0;  ///< ids()[first … first + count)
    std::uint32_t count = 0;
  };
  /// Where a search goes on; starts as it is made.
  struct Cursor {
    std::size_t probe = 0;
    std::size_t meeting = 0;
  };
  /// The next literal in the text; of several at one place the longest first. False: no more.
  bool Next(std::string_view text, Cursor* cursor, Hit* hit) const;
  std::uint32_t id(std::uint32_t index) const { return ids_[index]; }

 private:
  static constexpr std::size_t kProbeSize = 3;
  static constexpr std::size_t kMaxStride = 16;
  static constexpr std::size_t kBuckets = 4096;

  struct Literal {
    std::string text;
    std::uint32_t first = 0;
    std::uint32_t count = 0;
  };
  /// A probe that meets a literal `offset` bytes behind its begin.
  struct Meeting {
    std::uint32_t bucket = 0;
    std::uint32_t literal = 0;
    std::uint32_t offset = 0;
  };
  static std::size_t BucketOf(const char* three) {
    std::uint32_t bytes = 0;
    std::memcpy(&bytes, three, kProbeSize);
    return Hash(bytes);
  }
  /// The same, where a fourth byte can be read.
  static std::size_t BucketIn(const char* four) {
    if constexpr (std::endian::native == std::endian::big) {
      return BucketOf(four);
    }
    std::uint32_t bytes = 0;
    std::memcpy(&bytes, four, sizeof(bytes));
    return Hash(bytes & 0xffffff);
  }
  static std::size_t Hash(std::uint32_t bytes) { return bytes * 0x9e3779b1U >> 20; }
  bool FindAt(std::string_view text, std::size_t probe, std::size_t bucket, std::size_t from,
              Cursor* cursor, Hit* hit) const;
  bool Meets(std::string_view text, std::size_t probe, const Meeting& meeting) const;

  std::vector<std::pair<std::string, std::uint32_t>> added_;
  std::vector<Literal> literals_;
  std::vector<std::uint32_t> ids_;
  std::vector<Meeting> meetings_;  ///< by bucket
  std::size_t stride_ = 1;
  std::array<std::uint8_t, kBuckets> used_{};
  std::array<std::uint32_t, kBuckets> begin_{};  ///< of a bucket in meetings_
};

}  // namespace mimi::rules

#endif  // MIMI_SRC_RULES_ANCHORS_H_
