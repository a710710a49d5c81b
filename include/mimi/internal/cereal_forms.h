#ifndef MIMI_INTERNAL_CEREAL_FORMS_H_
#define MIMI_INTERNAL_CEREAL_FORMS_H_

// How our value types and Key() and Soft() look in cereal's own archives. Part of typed.h, which
// includes cereal first; empty without run-time type information, since cereal's archives cannot be
// used then.

#if defined(__cpp_rtti)

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "mimi/internal/row_archives.h"
#include "mimi/internal/row_fields.h"
#include "mimi/types.h"

namespace cereal {
class JSONOutputArchive;
class JSONInputArchive;
class XMLOutputArchive;
class XMLInputArchive;
}  // namespace cereal

namespace mimi {
namespace internal {

// JSON and XML open a nested object around every struct; a mark is no object of its own, so nothing
// is opened. Found by argument-dependent lookup, and preferred to cereal's own as the more
// specialised.
template <FieldRole kRole, class Pair>
void prologue(cereal::JSONOutputArchive&, const MarkedField<kRole, Pair>&) {
}
template <FieldRole kRole, class Pair>
void epilogue(cereal::JSONOutputArchive&, const MarkedField<kRole, Pair>&) {
}
template <FieldRole kRole, class Pair>
void prologue(cereal::JSONInputArchive&, const MarkedField<kRole, Pair>&) {
}
template <FieldRole kRole, class Pair>
void epilogue(cereal::JSONInputArchive&, const MarkedField<kRole, Pair>&) {
}
template <FieldRole kRole, class Pair>
void prologue(cereal::XMLOutputArchive&, const MarkedField<kRole, Pair>&) {
}
template <FieldRole kRole, class Pair>
void epilogue(cereal::XMLOutputArchive&, const MarkedField<kRole, Pair>&) {
}
template <FieldRole kRole, class Pair>
void prologue(cereal::XMLInputArchive&, const MarkedField<kRole, Pair>&) {
}
template <FieldRole kRole, class Pair>
void epilogue(cereal::XMLInputArchive&, const MarkedField<kRole, Pair>&) {
}

template <class Archive>
concept TextArchive = cereal::traits::is_text_archive<Archive>::value;

}  // namespace internal

// cereal's interface demands these names, and an exception for what cannot be loaded.

template <internal::TextArchive Archive, internal::RowAddress T>
std::string save_minimal(const Archive&, const T& address) {
  return address.ToString();
}
template <internal::TextArchive Archive, internal::RowAddress T>
void load_minimal(const Archive&, T& address, const std::string& text) {
  const std::optional<T> parsed = T::Parse(text);
  if (!parsed) {
    throw cereal::Exception("mimi: not an address: \"" + text + "\"");
  }
  address = *parsed;
}
template <class Archive, internal::RowAddress T>
requires(!internal::TextArchive<Archive>) void serialize(Archive& ar, T& address) {
  ar(cereal::binary_data(address.octets.data(), address.octets.size()));
}

template <internal::TextArchive Archive, std::size_t N>
std::string save_minimal(const Archive&, const Text<N>& text) {
  return std::string(text.view());
}
template <internal::TextArchive Archive, std::size_t N>
void load_minimal(const Archive&, Text<N>& text, const std::string& from) {
  if (!text.TryAssign(from)) {
    throw cereal::Exception("mimi: text of more than " + std::to_string(N) +
                            " bytes, or with a NUL");
  }
}
template <class Archive, std::size_t N>
requires(!internal::TextArchive<Archive>) void serialize(Archive& ar, Text<N>& text) {
  ar(cereal::binary_data(text.bytes.data(), N));
}

template <class Archive>
std::uint16_t save_minimal(const Archive&, const Port& port) {
  return port.value;
}
template <class Archive>
void load_minimal(const Archive&, Port& port, const std::uint16_t& number) {
  port.value = number;
}

}  // namespace mimi

#endif  // __cpp_rtti

#endif  // MIMI_INTERNAL_CEREAL_FORMS_H_
