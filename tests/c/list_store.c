#include "list_store.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_BATCHES = 4096, MAX_TERMS = 64 };

typedef struct entry {
  unsigned char* bytes;
  size_t size;
  uint64_t position; /* after it */
} entry;

struct list_store {
  mimi_loop* loop;
  mimi_store* store;
  int* destroyed;
  int calls;
  entry feed[MAX_BATCHES];
  size_t count;
  uint64_t head;
  uint64_t terms;     /* the newest handed out */
  uint64_t exclusive; /* the newest exclusive claim: older terms are fenced */
  uint64_t control;   /* the table id of mimi.pair, open to all */
  uint64_t lease_owner;
  int64_t lease_until;
  uint64_t lease_term;
};

typedef struct list_cursor {
  size_t next;
  uint64_t position;
  int snapshot;
} list_cursor;

static void told(list_store* self) {
  mimi_store_state state = MIMI_INIT(mimi_store_state);
  state.available = 1;
  state.incarnation = 1;
  state.head = self->head;
  state.term = self->exclusive;
  mimi_store_set_state(self->store, &state, NULL);
}

static void open_table(void* context, const mimi_schema* schema, mimi_answer answer) {
  list_store* self = context;
  mimi_schema_info info = MIMI_INIT(mimi_schema_info);
  ++self->calls;
  mimi_schema_get_info(schema, &info, NULL);
  if (strcmp(info.name, "mimi.pair") == 0) {
    self->control = info.table;
  }
  mimi_answer_done(self->loop, answer, MIMI_OK, NULL, NULL);
}

static void claim(void* context, const mimi_claim_request* request, mimi_answer answer) {
  list_store* self = context;
  ++self->calls;
  if (request->use_expected && request->expected != self->exclusive) {
    mimi_answer_done(self->loop, answer, MIMI_ABORTED, "another claimed", NULL);
    return;
  }
  self->terms = (self->terms > request->floor ? self->terms : request->floor) + 1;
  if (request->mode == MIMI_CLAIM_EXCLUSIVE) {
    self->exclusive = self->terms;
  }
  told(self);
  mimi_answer_claim(self->loop, answer, self->terms, self->head, NULL);
}

static mimi_status apply(void* context, const mimi_batch* batch, uint64_t* position,
                         mimi_error* error) {
  list_store* self = context;
  mimi_batch_info info = MIMI_INIT(mimi_batch_info);
  entry* to = &self->feed[self->count];
  ++self->calls;
  mimi_batch_get_info(batch, &info, NULL);
  if (info.table != self->control && info.term < self->exclusive) {
    strcpy(error->message, "a newer term exists");
    return MIMI_ABORTED;
  }
  if (self->count == MAX_BATCHES) {
    return MIMI_RESOURCE_EXHAUSTED;
  }
  to->bytes = malloc(info.byte_count);
  if (to->bytes == NULL) {
    return MIMI_RESOURCE_EXHAUSTED;
  }
  memcpy(to->bytes, info.bytes, info.byte_count);
  to->size = info.byte_count;
  self->head += info.count == 0 ? 1 : info.count;
  to->position = self->head;
  ++self->count;
  *position = self->head;
  told(self);
  mimi_store_confirm(self->store, self->head, NULL);
  mimi_store_wake(self->store, NULL);
  return MIMI_OK;
}

/* The newest record of the key, from the end of the feed. */
static void lookup(void* context, uint64_t table, const void* key, size_t key_size,
                   mimi_answer answer) {
  list_store* self = context;
  size_t i;
  ++self->calls;
  for (i = self->count; i-- > 0;) {
    mimi_batch* batch = NULL;
    mimi_batch_info info = MIMI_INIT(mimi_batch_info);
    size_t r;
    mimi_batch_new_parsed(self->feed[i].bytes, self->feed[i].size, &batch, NULL);
    mimi_batch_get_info(batch, &info, NULL);
    for (r = info.count; r-- > 0 && info.table == table;) {
      mimi_record record = MIMI_INIT(mimi_record);
      mimi_batch_get_record(batch, r, &record, NULL);
      if (record.key_size == key_size && memcmp(record.key, key, key_size) == 0) {
        if (record.op == MIMI_OP_PUT) {
          mimi_answer_lookup(self->loop, answer, &record, NULL);
        } else {
          mimi_answer_done(self->loop, answer, MIMI_NOT_FOUND, "erased", NULL);
        }
        mimi_batch_close(batch, NULL);
        return;
      }
    }
    mimi_batch_close(batch, NULL);
  }
  mimi_answer_done(self->loop, answer, MIMI_NOT_FOUND, "no such key", NULL);
}

/* A snapshot here is the whole feed again: rows and all that became of them, in order. */
static mimi_status snapshot(void* context, uint64_t table, void** cursor, uint64_t* position,
                            mimi_error* error) {
  list_store* self = context;
  list_cursor* made = calloc(1, sizeof *made);
  (void)table;
  (void)error;
  ++self->calls;
  if (made == NULL) {
    return MIMI_RESOURCE_EXHAUSTED;
  }
  made->snapshot = 1;
  made->position = self->head;
  *position = self->head;
  *cursor = made;
  return MIMI_OK;
}

static mimi_status watch(void* context, uint64_t incarnation, uint64_t position, void** cursor,
                         mimi_error* error) {
  list_store* self = context;
  list_cursor* made;
  ++self->calls;
  if ((incarnation != 0 && incarnation != 1) || position > self->head) {
    strcpy(error->message, "no such position");
    return MIMI_DATA_LOSS;
  }
  made = calloc(1, sizeof *made);
  if (made == NULL) {
    return MIMI_RESOURCE_EXHAUSTED;
  }
  made->position = position;
  while (made->next < self->count && self->feed[made->next].position <= position) {
    ++made->next;
  }
  *cursor = made;
  return MIMI_OK;
}

static mimi_status cursor_next(void* context, void* cursor, mimi_cursor_item* item,
                               mimi_error* error) {
  list_store* self = context;
  list_cursor* at = cursor;
  (void)error;
  item->position = at->position;
  if (at->next < self->count && (!at->snapshot || self->feed[at->next].position <= at->position)) {
    item->bytes = self->feed[at->next].bytes;
    item->byte_count = self->feed[at->next].size;
    if (!at->snapshot) {
      at->position = self->feed[at->next].position;
    }
    item->position = at->position;
    ++at->next;
  } else {
    item->done = (uint64_t)at->snapshot;
  }
  return MIMI_OK;
}

static void cursor_close(void* context, void* cursor) {
  (void)context;
  free(cursor);
}

static void lease_acquire(void* context, const char* name, uint64_t owner, int64_t ttl,
                          mimi_answer answer) {
  list_store* self = context;
  const int64_t now = mimi_now_ns();
  (void)name;
  if (self->lease_owner != owner && now < self->lease_until) {
    mimi_answer_done(self->loop, answer, MIMI_ABORTED, "held by another", NULL);
    return;
  }
  self->lease_term += self->lease_owner != owner;
  self->lease_owner = owner;
  self->lease_until = now + ttl;
  mimi_answer_lease(self->loop, answer, self->lease_term, self->lease_until, NULL);
}

static void lease_release(void* context, const char* name, uint64_t owner) {
  list_store* self = context;
  (void)name;
  if (self->lease_owner == owner) {
    self->lease_until = 0;
  }
}

void list_store_free(void* context) {
  list_store* self = context;
  size_t i;
  if (self->destroyed != NULL) {
    ++*self->destroyed;
  }
  for (i = 0; i < self->count; ++i) {
    free(self->feed[i].bytes);
  }
  free(self);
}

mimi_store_ops list_store_ops(list_store* self) {
  mimi_store_ops ops = MIMI_INIT(mimi_store_ops);
  ops.open = open_table;
  ops.claim = claim;
  ops.apply = apply;
  ops.lookup = lookup;
  ops.snapshot = snapshot;
  ops.watch = watch;
  ops.cursor_next = cursor_next;
  ops.cursor_close = cursor_close;
  ops.lease_acquire = lease_acquire;
  ops.lease_renew = lease_acquire;
  ops.lease_release = lease_release;
  ops.self = self;
  ops.destroy = list_store_free;
  return ops;
}

list_store* list_store_new(mimi_loop* loop, int* destroyed, mimi_store** store, mimi_error* error) {
  list_store* self = calloc(1, sizeof *self);
  mimi_store_ops ops = list_store_ops(self);
  self->loop = loop;
  self->destroyed = destroyed;
  if (mimi_store_new(loop, &ops, store, error) != MIMI_OK) {
    list_store_free(self);
    return NULL;
  }
  self->store = *store;
  told(self);
  return self;
}

int list_store_calls(const list_store* self) {
  return self->calls;
}
