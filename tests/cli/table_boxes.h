#ifndef MIMI_TESTS_CLI_TABLE_BOXES_H_
#define MIMI_TESTS_CLI_TABLE_BOXES_H_

namespace mimi::testing {

/// The configuration of a pair for tests of processes: both boxes are tables, flows come out of a
/// file, and the store is one too. A manager's chapters may follow.
inline constexpr char kTwoTableBoxes[] = R"(
[pair]
name = "edge1"
report_every = "20ms"
[store]
url = "file:store"
[primary.driver]
kind = "rows_file"
table = "test.flow"
path = "rows.jsonl"
[primary.minion]
kind = "table"
table = "test.flow"
[minion]
kind = "table"
table = "test.flow"
[minion.driver]
kind = "rows_file"
table = "test.flow"
path = "rows.jsonl"
[schema.test_flow]
name = "test.flow"
[schema.test_flow.key]
key = "u32"
[schema.test_flow.value]
value = "u32"
)";

}  // namespace mimi::testing

#endif  // MIMI_TESTS_CLI_TABLE_BOXES_H_
