/* The layout of every struct, fixed: no padding at the end (a padded struct that grows by one
 * member keeps its sizeof, and the library would read the old caller's padding), `size` first where
 * there is one, and on 64-bit machines the size itself. A change here breaks the ABI: append
 * members, give the struct's new size. */

#include <assert.h>
#include <mimi/c/mimi.h>

#define NO_TAIL(type, last)                                                      \
  static_assert(offsetof(type, last) + sizeof(((type*)0)->last) == sizeof(type), \
                #type " has padding at its end")
#define SIZED(type, last)                                               \
  static_assert(offsetof(type, size) == 0, #type ".size is not first"); \
  NO_TAIL(type, last)
#if UINTPTR_MAX == UINT64_MAX
#define BYTES(type, count) static_assert(sizeof(type) == (count), #type " changed its size")
#else
#define BYTES(type, count) NO_TAIL(mimi_error, message)
#endif

NO_TAIL(mimi_error, message);
SIZED(mimi_schema_info, version);
SIZED(mimi_field, enum_count);
SIZED(mimi_batch_info, flags);
SIZED(mimi_record, op);
SIZED(mimi_memory_store_options, tombstone_age);
SIZED(mimi_file_store_options, must_exist);
SIZED(mimi_claim_request, mode);
SIZED(mimi_store_state, missing_fit);
SIZED(mimi_publisher_options, keep_unmentioned);
SIZED(mimi_publisher_stats, resyncing);
SIZED(mimi_table_options, context);
SIZED(mimi_damped_options, reserved);
SIZED(mimi_box_options, lane_coverage);
SIZED(mimi_manager_options, restore_without_state);
SIZED(mimi_engine_options, wake);
SIZED(mimi_audit_result, findings);
SIZED(mimi_pair_view, readiness);
SIZED(mimi_box_view, readiness_reason);
SIZED(mimi_part_view, reason);
SIZED(mimi_move, reason);
SIZED(mimi_driver_ops, coverage);
SIZED(mimi_driver_state, reason);
SIZED(mimi_minion_ops, destroy);
SIZED(mimi_minion_state, reason);
SIZED(mimi_cursor_item, done);
SIZED(mimi_store_ops, destroy);
SIZED(mimi_decision, reason);
SIZED(mimi_policy_ops, destroy);
SIZED(mimi_steering_ops, passive);
SIZED(mimi_liveness_ops, destroy);

BYTES(mimi_error, 512);
BYTES(mimi_schema_info, 64);
BYTES(mimi_field, 48);
BYTES(mimi_batch_info, 104);
BYTES(mimi_record, 72);
BYTES(mimi_memory_store_options, 32);
BYTES(mimi_file_store_options, 48);
BYTES(mimi_claim_request, 40);
BYTES(mimi_store_state, 256);
BYTES(mimi_publisher_options, 64);
BYTES(mimi_publisher_stats, 176);
BYTES(mimi_table_options, 32);
BYTES(mimi_damped_options, 56);
BYTES(mimi_box_options, 96);
BYTES(mimi_manager_options, 104);
BYTES(mimi_engine_options, 152);
BYTES(mimi_audit_result, 56);
BYTES(mimi_pair_view, 40);
BYTES(mimi_box_view, 432);
BYTES(mimi_part_view, 264);
BYTES(mimi_move, 296);
BYTES(mimi_driver_ops, 64);
BYTES(mimi_driver_state, 176);
BYTES(mimi_minion_ops, 64);
BYTES(mimi_minion_state, 168);
BYTES(mimi_cursor_item, 40);
BYTES(mimi_store_ops, 112);
BYTES(mimi_decision, 280);
BYTES(mimi_policy_ops, 40);
BYTES(mimi_steering_ops, 64);
BYTES(mimi_liveness_ops, 48);
