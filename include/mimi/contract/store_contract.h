#ifndef MIMI_CONTRACT_STORE_CONTRACT_H_
#define MIMI_CONTRACT_STORE_CONTRACT_H_

/// \file
/// The contract suite of stores: what store.h demands of every implementation, as doctest cases.
///
/// Our own stores pass it, and yours can be held to it from the installed headers alone:
///
///     class MyStoreUnderTest : public mimi::contract::StoreUnderTest {
///       Loop& loop() override { return *loop_; }
///       std::unique_ptr<StateStore> NewHandle() override {
///         return NewMyStore(options_, *loop_).value();
///       }
///       …
///     };
///     MIMI_STORE_CONTRACT("my store", [](const mimi::contract::StoreLimits& limits) {
///       return std::make_unique<MyStoreUnderTest>(limits);
///     })
///
/// at namespace scope of a file that includes this header; one file of the program defines
/// DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN. What a store cannot do in a test (move time, restart) is
/// left out with a message; everything else must pass.
///
/// Threads: one. Lifetime: store_under_test.h.

#include <doctest/doctest.h>

#include "mimi/contract/store_feed.h"
#include "mimi/contract/store_tables.h"
#include "mimi/contract/store_terms.h"
#include "mimi/contract/store_under_test.h"

#define MIMI_STORE_CONTRACT_CASE(title, sentence, check, ...)             \
  DOCTEST_TEST_CASE(title ": " sentence) {                                \
    ::mimi::contract::check(::mimi::contract::StoreFactory(__VA_ARGS__)); \
  }

/// `title` is a string literal; the rest is a StoreFactory.
#define MIMI_STORE_CONTRACT(title, ...)                                                           \
  MIMI_STORE_CONTRACT_CASE(title, "claims hand out terms that grow beyond all that was seen",     \
                           ClaimsGrow, __VA_ARGS__)                                               \
  MIMI_STORE_CONTRACT_CASE(title, "a claim that expects another newest claim changes nothing",    \
                           ClaimComparesExpected, __VA_ARGS__)                                    \
  MIMI_STORE_CONTRACT_CASE(title, "a term that was never handed out cannot write",                \
                           UnknownTermsAreRefused, __VA_ARGS__)                                   \
  MIMI_STORE_CONTRACT_CASE(title, "an exclusive claim fences older terms, atomically",            \
                           ExclusiveClaimsFence, __VA_ARGS__)                                     \
  MIMI_STORE_CONTRACT_CASE(title, "after a shared claim all write and versions decide",           \
                           SharedClaimsLetVersionsDecide, __VA_ARGS__)                            \
  MIMI_STORE_CONTRACT_CASE(title, "a writer is done with its older terms",                        \
                           AWriterIsDoneWithItsOlderTerms, __VA_ARGS__)                           \
  MIMI_STORE_CONTRACT_CASE(title, "a control claim writes the control table and fences nobody",   \
                           ControlTermsWriteTheControlTableOnly, __VA_ARGS__)                     \
  MIMI_STORE_CONTRACT_CASE(title, "a lease is held by one owner until it ends",                   \
                           LeasesAreHeldByOne, __VA_ARGS__)                                       \
  MIMI_STORE_CONTRACT_CASE(title, "a lookup finds the row, or says why not",                      \
                           LookupsSayWhatTheyFind, __VA_ARGS__)                                   \
  MIMI_STORE_CONTRACT_CASE(title,                                                                 \
                           "a batch that is sent again is stored once, and a gap is refused",     \
                           ResentBatchesAreStoredOnce, __VA_ARGS__)                               \
  MIMI_STORE_CONTRACT_CASE(title, "an older version changes nothing but stays in the feed",       \
                           OlderVersionsChangeNothing, __VA_ARGS__)                               \
  MIMI_STORE_CONTRACT_CASE(title, "a batch of another table or a longer schema is refused",       \
                           BatchesMustFitTheirTable, __VA_ARGS__)                                 \
  MIMI_STORE_CONTRACT_CASE(title, "a schema of another line is refused with the field named",     \
                           OtherLinesAreRefused, __VA_ARGS__)                                     \
  MIMI_STORE_CONTRACT_CASE(title, "an older program between newer ones loses nothing",            \
                           AnOlderProgramBetweenNewerOnesLosesNothing, __VA_ARGS__)               \
  MIMI_STORE_CONTRACT_CASE(title, "a table takes a longer schema while it is used",               \
                           ATableMayGrowLongerWhileItIsUsed, __VA_ARGS__)                         \
  MIMI_STORE_CONTRACT_CASE(title, "a full table leaves out new rows, counted, and nothing else",  \
                           FullTablesLeaveOutNewRowsOnly, __VA_ARGS__)                            \
  MIMI_STORE_CONTRACT_CASE(title,                                                                 \
                           "a tombstone stays until it is old and the feed behind it is trimmed", \
                           TombstonesEnd, __VA_ARGS__)                                            \
  MIMI_STORE_CONTRACT_CASE(title, "a watcher sees every batch in order and is woken once",        \
                           WatchersSeeEveryBatch, __VA_ARGS__)                                    \
  MIMI_STORE_CONTRACT_CASE(title,                                                                 \
                           "a position that is gone is data loss, and a snapshot the way out",    \
                           GonePositionsAreDataLoss, __VA_ARGS__)                                 \
  MIMI_STORE_CONTRACT_CASE(title,                                                                 \
                           "followers equal row by row, early and late, with writers running",    \
                           SnapshotsAndWatchesAgree, __VA_ARGS__)                                 \
  MIMI_STORE_CONTRACT_CASE(title, "a snapshot keeps erased rows erased",                          \
                           SnapshotsKeepErasedRowsErased, __VA_ARGS__)                            \
  MIMI_STORE_CONTRACT_CASE(title, "a restart keeps what was confirmed",                           \
                           RestartsKeepWhatWasConfirmed, __VA_ARGS__)

#endif  // MIMI_CONTRACT_STORE_CONTRACT_H_
