#ifndef MIMI_SRC_CONFIG_SECTION_H_
#define MIMI_SRC_CONFIG_SECTION_H_

// Section: one table of a configuration while it is read into a struct of options.
//
//   void ReadProbe(Section& section, ProbeOptions* options) {
//     section.Read("target", &options->target);                 // stays as it is when it is not there
//     section.Read("every", &options->every, std::chrono::milliseconds(1));
//     section.Require("target");
//   }
//
// Whoever reads names every key once; what stands in the table and was never asked for is an error
// with a suggestion, found by Finish() of the outermost section. Every mistake goes to Problems as
// "file:line:column: path: what was expected".
//
// Threads: one at a time. Lifetime: the document and the Problems outlive it.

#include <concepts>
#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mimi/types.h"

#include "src/state/document.h"

namespace mimi::config {

/// An address to listen on or to speak to. "192.0.2.1:514", "[2001:db8::1]:514"; "*:514" is every
/// address of this host, of both families (`::`).
struct Endpoint {
  Ip address;
  std::uint16_t port = 0;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};
std::optional<Endpoint> ParseEndpoint(std::string_view text);
std::string FormatEndpoint(const Endpoint& endpoint);

/// A whole number, or one with a unit: "64 MiB", "64MB", "4096". nullopt for anything else.
std::optional<std::uint64_t> ParseSize(std::string_view text);

template <class E>
struct Choice {
  std::string_view name;
  E value;
};

class Section {
 public:
  Section(const internal::Node& node, internal::Place place, std::string path,
          internal::Problems& problems);
  Section(const Section&) = delete;
  Section& operator=(const Section&) = delete;

  internal::Place place() const { return place_; }
  /// The place of a key's value; the section's own when it is not there.
  internal::Place PlaceOf(std::string_view key) const;
  const std::string& path() const { return path_; }
  internal::Problems& problems() { return problems_; }

  /// Each returns whether the key was there and right. `value` stays as it was otherwise.
  bool Read(std::string_view key, std::string* value);
  bool Read(std::string_view key, bool* value);
  bool Read(std::string_view key, double* value, double least, double most);
  bool Read(std::string_view key, Duration* value, Duration least = Duration(1),
            Duration most = std::chrono::hours(24 * 365));
  bool Read(std::string_view key, Ip* value);
  bool Read(std::string_view key, Endpoint* value);
  bool Read(std::string_view key, std::vector<std::string>* value);
  template <std::integral T>
  bool Read(std::string_view key, T* value, T least = 0, T most = std::numeric_limits<T>::max()) {
    std::int64_t number = 0;
    const auto limit = static_cast<std::int64_t>(std::min<std::uint64_t>(
        static_cast<std::uint64_t>(most),
        static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())));
    if (!ReadInteger(key, static_cast<std::int64_t>(least), limit, &number)) {
      return false;
    }
    *value = static_cast<T>(number);
    return true;
  }
  /// Bytes: an integer, or text as ParseSize takes it.
  bool ReadSize(std::string_view key, std::size_t* value, std::size_t least = 1);
  /// One of a few words; a wrong one is answered with all of them.
  template <class E>
  bool Read(std::string_view key, E* value, std::span<const Choice<E>> choices) {
    std::vector<std::string_view> names;
    for (const Choice<E>& choice : choices) {
      names.push_back(choice.name);
    }
    const std::optional<std::size_t> index = ReadWord(key, names);
    if (index) {
      *value = choices[*index].value;
    }
    return index.has_value();
  }
  /// The index of the word. nullopt: not there, or wrong.
  std::optional<std::size_t> ReadWord(std::string_view key,
                                      std::span<const std::string_view> words);

  /// The table below `key`; null when there is none. A list of tables too where one may stand
  /// alone.
  Section* Child(std::string_view key);
  std::vector<Section*> Children(std::string_view key);
  /// The tables below `key` by their names, in the order of the text: [pool.web], [pool.mail].
  struct Named {
    std::string name;
    Section* section;
  };
  std::vector<Named> NamedChildren(std::string_view key);

  bool Has(std::string_view key);
  /// What another reader takes: nothing below it is looked at.
  void Ignore(std::string_view key) { Know(key); }
  /// Members that no schema of ours describes: a reader's own business.
  const internal::Node* Raw(std::string_view key);

  /// A mistake unless the key is there.
  bool Require(std::string_view key, std::string_view for_what = {});
  /// A mistake at the key's value, or at the section when the key is not there or empty.
  void Refuse(std::string_view key, std::string_view what);
  /// The section cannot be understood; Finish() shall not speak of its keys.
  void Abandon() { abandoned_ = true; }
  /// Reports every member that nobody asked for, here and in all children.
  void Finish();

 private:
  const internal::Node* Find(std::string_view key);
  void Know(std::string_view key);
  bool Expected(std::string_view key, const internal::Node& node, std::string_view what);
  bool ReadInteger(std::string_view key, std::int64_t least, std::int64_t most,
                   std::int64_t* value);
  Section* Add(const internal::Node& node, internal::Place place, std::string path);

  const internal::Node& node_;
  internal::Place place_;
  std::string path_;
  internal::Problems& problems_;
  std::vector<std::string> known_;
  std::deque<Section> children_;
  bool abandoned_ = false;
};

}  // namespace mimi::config

#endif  // MIMI_SRC_CONFIG_SECTION_H_
