#ifndef MIMI_CONTRACT_MINION_CONTRACT_H_
#define MIMI_CONTRACT_MINION_CONTRACT_H_

/// \file
/// The contract suite of minions: what minion.h demands of every implementation, as doctest cases.
///
/// Our own minions pass it, and yours can be held to it from the installed headers alone:
///
///     class MyMinionUnderTest : public mimi::contract::MinionUnderTest {
///       Loop& loop() override { return *loop_; }
///       Minion& minion() override { return *minion_; }
///       …
///     };
///     MIMI_MINION_CONTRACT("my minion", [] { return std::make_unique<MyMinionUnderTest>(); })
///
/// at namespace scope of a file that includes this header; one file of the program defines
/// DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN. What a data plane cannot do in a test (be full, be shown) is
/// left out with a message; everything else must pass.
///
/// Threads: one. Lifetime: minion_under_test.h.

#include <doctest/doctest.h>

#include "mimi/contract/minion_rows.h"
#include "mimi/contract/minion_under_test.h"

#define MIMI_MINION_CONTRACT_CASE(title, sentence, check, ...)             \
  DOCTEST_TEST_CASE(title ": " sentence) {                                 \
    ::mimi::contract::check(::mimi::contract::MinionFactory(__VA_ARGS__)); \
  }

/// `title` is a string literal; the rest is a MinionFactory.
#define MIMI_MINION_CONTRACT(title, ...)                                                         \
  MIMI_MINION_CONTRACT_CASE(title,                                                               \
                            "warming, activating and retiring are answered, again and again",    \
                            MovesAreIdempotent, __VA_ARGS__)                                     \
  MIMI_MINION_CONTRACT_CASE(title, "an audit shows exactly what was applied",                    \
                            AuditShowsWhatIsHeld, __VA_ARGS__)                                   \
  MIMI_MINION_CONTRACT_CASE(title,                                                               \
                            "a put replaces and an erase removes, in the order of the batch",    \
                            RecordsAreDoneInOrder, __VA_ARGS__)                                  \
  MIMI_MINION_CONTRACT_CASE(title, "a batch that is applied again changes nothing",              \
                            ApplyingAgainIsHarmless, __VA_ARGS__)                                \
  MIMI_MINION_CONTRACT_CASE(title, "versioned batches are taken as they come",                   \
                            VersionedBatchesAreTaken, __VA_ARGS__)                               \
  MIMI_MINION_CONTRACT_CASE(title, "a batch of another table is refused whole",                  \
                            OtherTablesAreRefused, __VA_ARGS__)                                  \
  MIMI_MINION_CONTRACT_CASE(title, "positions grow, and confirmation follows", PositionsGrow,    \
                            __VA_ARGS__)                                                         \
  MIMI_MINION_CONTRACT_CASE(title, "an audit keeps to its budget and ends each pass",            \
                            AuditsComeInSlices, __VA_ARGS__)                                     \
  MIMI_MINION_CONTRACT_CASE(title, "a row that cannot be held is counted, and the rest goes on", \
                            RefusedRowsAreCounted, __VA_ARGS__)                                  \
  MIMI_MINION_CONTRACT_CASE(title, "state stays through activate, retire and warm", StateStays,  \
                            __VA_ARGS__)

#endif  // MIMI_CONTRACT_MINION_CONTRACT_H_
