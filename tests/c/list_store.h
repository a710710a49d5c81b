#ifndef MIMI_TESTS_C_LIST_STORE_H_
#define MIMI_TESTS_C_LIST_STORE_H_

/* A store in C, as a vendor would write one: the feed is a list of batches in memory. One table, no
 * limits, no tombstones; enough for an engine to run on. */

#include <mimi/c/mimi.h>

typedef struct list_store list_store;

/* destroyed counts the calls of destroy, if it is not NULL. */
list_store* list_store_new(mimi_loop* loop, int* destroyed, mimi_store** store, mimi_error* error);
/* The ops, for tests that leave some out. */
mimi_store_ops list_store_ops(list_store* self);
void list_store_free(void* self);
/* Calls that came, by name. */
int list_store_calls(const list_store* self);

#endif /* MIMI_TESTS_C_LIST_STORE_H_ */
