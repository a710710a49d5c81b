#ifndef MIMI_TESTS_STATE_RANDOM_SCHEMA_H_
#define MIMI_TESTS_STATE_RANDOM_SCHEMA_H_

// Schemas and rows made of random numbers, all of them valid.

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "mimi/schema.h"

namespace mimi::testing {

using Random = std::mt19937_64;

inline std::uint64_t Below(Random& random, std::uint64_t bound) {
  return random() % bound;
}

/// A value that CheckRow accepts.
inline std::vector<std::byte> RandomValue(Random& random, const Field& field) {
  std::vector<std::byte> value(field.size);
  for (std::byte& b : value) {
    b = static_cast<std::byte>(random());
  }
  if (field.type == FieldType::kBool) {
    value[0] &= std::byte{1};
  } else if (field.type == FieldType::kEnum) {
    value[0] = static_cast<std::byte>(field.values[Below(random, field.values.size())].value);
  } else if (field.type == FieldType::kText) {
    const std::uint64_t length = Below(random, field.size + 1U);
    for (std::size_t i = 0; i < value.size(); ++i) {
      value[i] = static_cast<std::byte>(i < length ? 1 + Below(random, 127) : 0);
    }
  }
  return value;
}

inline std::vector<std::byte> RandomRow(Random& random, const StateSchema& schema) {
  std::vector<std::byte> row;
  for (const Field& field : schema.fields()) {
    const std::vector<std::byte> value = RandomValue(random, field);
    row.insert(row.end(), value.begin(), value.end());
  }
  return row;
}

/// Every type may occur; up to 4 key fields and 8 value fields, with random defaults.
inline StateSchema RandomSchema(Random& random) {
  StateSchema::Builder builder("random.t" + std::to_string(Below(random, 100)),
                               static_cast<std::uint32_t>(random()));
  const std::uint64_t keys = 1 + Below(random, 4);
  const std::uint64_t fields = keys + Below(random, 9);
  for (std::uint64_t i = 0; i < fields; ++i) {
    const bool key = i < keys;
    Field field;
    do {
      field.type = static_cast<FieldType>(1 + Below(random, 18));
    } while (key && field.type == FieldType::kF64);
    const bool sized = field.type == FieldType::kBytes || field.type == FieldType::kText;
    const std::size_t size = sized ? 1 + Below(random, 40) : 0;
    const std::string name = "f" + std::to_string(i);
    key ? builder.Key(name, field.type, size) : builder.Value(name, field.type, size);
    if (field.type == FieldType::kEnum) {
      for (std::uint64_t v = 0; v <= Below(random, 5); ++v) {
        field.values.push_back({"v" + std::to_string(v), static_cast<std::uint8_t>(v * 3)});
      }
      builder.Enum(field.values);
    }
    if (!key && Below(random, 2) == 0) {
      builder.Soft();
    }
    if (!key && field.type == FieldType::kU32) {
      field.size = 4;
      builder.Default(RandomValue(random, field));
    }
  }
  return *builder.Build();
}

}  // namespace mimi::testing

#endif  // MIMI_TESTS_STATE_RANDOM_SCHEMA_H_
