#include "src/base/suggest.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include <fmt/core.h>

namespace mimi {
namespace {

constexpr std::size_t kLongestWord = 64;  // longer ones are not names of ours; bounds the work

// Optimal string alignment: insertions, deletions, replacements and swaps of neighbours each
// cost 1.
std::size_t Distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) {
    last[j] = j;
  }
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replace = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({replace, last[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

// Letters that both have in the same place, from the front and from the back. Decides between words
// of one distance: of those at one letter from "ip4", "ipv4" is meant sooner than "i64".
std::size_t Shared(std::string_view a, std::string_view b) {
  const std::size_t most = std::min(a.size(), b.size());
  std::size_t front = 0;
  while (front < most && a[front] == b[front]) {
    ++front;
  }
  std::size_t back = 0;
  while (back < most - front && a[a.size() - 1 - back] == b[b.size() - 1 - back]) {
    ++back;
  }
  return front + back;
}

}  // namespace

std::string DidYouMean(std::string_view word, std::span<const std::string_view> known) {
  if (word.empty() || word.size() > kLongestWord) {
    return {};
  }
  std::string_view nearest;
  std::size_t most_shared = 0;
  std::size_t least = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string_view candidate : known) {
    if (candidate.size() > kLongestWord) {
      continue;
    }
    const std::size_t distance = Distance(word, candidate);
    const std::size_t shared = Shared(word, candidate);
    if (distance < least || (distance == least && !nearest.empty() && shared > most_shared)) {
      least = distance;
      most_shared = shared;
      nearest = candidate;
    }
  }
  return nearest.empty() ? std::string() : fmt::format(", did you mean \"{}\"?", nearest);
}

}  // namespace mimi
