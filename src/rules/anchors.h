#ifndef MIMI_SRC_RULES_ANCHORS_H_
#define MIMI_SRC_RULES_ANCHORS_H_

// Anchors: finds which rules can match a line, by a literal of each, in one pass.
//
// S. Wu, U. Manber, "A fast algorithm for multi-pattern searching" (1994): a table says for each
// pair of bytes how far the window can jump, so that most bytes of a line are never looked at, and
// a hundred literals cost what one costs.
//
// Threads: constant once built; any.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mimi::rules {

class Anchors {
 public:
  static constexpr std::size_t kMinSize = 4;  ///< of a literal; the shortest bounds the jumps

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
    std::size_t end = 0;
    std::size_t literal = 0;
  };
  /// The next literal in the text; of several at one place the longest first. False: no more.
  bool Next(std::string_view text, Cursor* cursor, Hit* hit) const;
  std::uint32_t id(std::uint32_t index) const { return ids_[index]; }

 private:
  static constexpr std::size_t kBuckets = 4096;

  struct Literal {
    std::string text;
    std::uint32_t first = 0;
    std::uint32_t count = 0;
  };
  static std::size_t BlockOf(const char* two) {
    const auto low = static_cast<unsigned char>(two[0]);
    const auto high = static_cast<unsigned char>(two[1]);
    return (static_cast<std::size_t>(low) * 31 + high * 257U) & (kBuckets - 1);
  }

  std::vector<std::pair<std::string, std::uint32_t>> added_;
  std::vector<Literal> literals_;
  std::vector<std::uint32_t> ids_;
  std::size_t window_ = 0;
  std::array<std::uint8_t, kBuckets> shift_{};
  std::array<std::uint16_t, kBuckets + 1> bucket_{};  ///< literals_ are sorted by bucket
};

}  // namespace mimi::rules

#endif  // MIMI_SRC_RULES_ANCHORS_H_
