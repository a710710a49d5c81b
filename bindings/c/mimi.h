#ifndef MIMI_C_MIMI_H_
#define MIMI_C_MIMI_H_

/*
 * libmimi for C: state of a middlebox out of firmware, and into a VNF.
 *
 * MiMi keeps the connections of a middlebox alive when the middlebox dies: its state, row by
 * row, flows through a store to a *minion*, a software function that stands beside it. This
 * header is the whole of it for C, and for every language that can call C. The C++ headers in
 * mimi/ say more about each part; every name here has its namesake there.
 *
 *     mimi_lane_put(lane, &row, sizeof row, NULL);             // firmware, per state change
 *     mimi_table_lookup(table, &key, sizeof key, &row, …);     // VNF, per packet
 *
 * Handles. Opaque: mimi_X_new… makes one, mimi_X_close ends it; closing NULL is legal. Closing
 * what another object still uses is MIMI_FAILED_PRECONDITION, and says what uses it: close the
 * engine first, then what was given to it, then the loop.
 *
 * Errors. Every function that can fail returns a mimi_status, and takes a mimi_error* last:
 * yours, may be NULL, nothing to free. A NULL handle or result pointer is
 * MIMI_INVALID_ARGUMENT. After an error nothing has changed, and results are not written.
 *
 * Structs. One whose first member is `size` may grow at its end. Initialise it with MIMI_INIT:
 * the size is set, everything else is zero. In options zero (NULL) always means the default,
 * and NULL for the whole struct all defaults. Members that are newer than the library must be
 * zero.
 *
 * Values. Names (const char*) end with NUL, and are copied. Buffers are (pointer, size in
 * bytes). Booleans and enumerations are int32_t and constants. Times are nanoseconds in
 * int64_t: `_ns` is a moment of CLOCK_MONOTONIC (mimi_now_ns), `_unix_ns` a moment since 1970,
 * anything else a length.
 *
 * Text out. To (buffer, capacity) with a NUL at its end; *length is its length without. When it
 * does not fit: MIMI_RESOURCE_EXHAUSTED, the buffer is untouched, and *length is set all the
 * same, so that (NULL, 0) asks for it.
 *
 * Threads. A handle is one thread's at a time, and a loop with everything bound to it is one
 * thread's. The exceptions: a lane is its producer's; and any thread may use schemas,
 * mimi_table_lookup…, _size, mimi_loop_post, _wake, _stop, mimi_engine_wake, _report, _metrics.
 *
 * Callbacks run only inside mimi_loop_run_once, _run, mimi_engine_run_once, _run, _start, on
 * that thread; lane functions and lookups never call back. From a callback everything may be
 * called but these five, and _close of an object that is on the stack:
 * MIMI_FAILED_PRECONDITION. What a call to an object of your own (section 10) asks of it, it
 * asks before it returns; so do functions with a `visit`; and _close calls what remains to be
 * called: `stop`, `destroy`. Pointers that a callback is given are valid until it returns.
 *
 * Manners. The library starts no thread unless an option says so, installs no signal handler,
 * writes to no stream, never aborts the process, and lets no C++ exception out. Callbacks of
 * yours must neither throw nor longjmp through it.
 */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define MIMI_API __attribute__((visibility("default")))
#else
#define MIMI_API
#endif

/* `size` set, everything else zero: mimi_record record = MIMI_INIT(mimi_record); */
#ifdef __cplusplus
#define MIMI_INIT(type) (mimi_cpp_init<type>())
#else
#define MIMI_INIT(type) \
  { .size = sizeof(type) }
#endif

/* ---- 1. Status, version, time ---------------------------------------------------------------- */

#define MIMI_VERSION "0.1.0"
/* Of the library that runs, not of this header. Never NULL. */
MIMI_API const char* mimi_version(void);

typedef int32_t mimi_status;
enum {
  MIMI_OK = 0,
  MIMI_INVALID_ARGUMENT = 3,    /* fix the call */
  MIMI_NOT_FOUND = 5,           /* no such row, field, table */
  MIMI_RESOURCE_EXHAUSTED = 8,  /* back-pressure, a full ring, memory: later */
  MIMI_FAILED_PRECONDITION = 9, /* wrong order, or from the wrong place */
  MIMI_ABORTED = 10,            /* a newer term exists: stop writing, follow */
  MIMI_UNIMPLEMENTED = 12,      /* built without it, or the back end has no such thing */
  MIMI_INTERNAL = 13,           /* a defect, of the library or of a back end */
  MIMI_UNAVAILABLE = 14,        /* try again */
  MIMI_DATA_LOSS = 15           /* bytes are damaged or gone: resync */
};
/* "INVALID_ARGUMENT"; "UNKNOWN" for other numbers. */
MIMI_API const char* mimi_status_name(mimi_status status);

/* What went wrong, in words: what, which one, what was seen, what was expected. Never grows. */
typedef struct mimi_error {
  mimi_status status;
  char message[508]; /* ends with NUL; cut if longer */
} mimi_error;

/* CLOCK_MONOTONIC. */
MIMI_API int64_t mimi_now_ns(void);

/* The answer to something that takes time. `message` is "" when status is MIMI_OK. */
typedef void (*mimi_done_fn)(void* context, mimi_status status, const char* message);

/* ---- 2. Schemas (mimi/schema.h) -------------------------------------------------------------- */
/* What one table's rows look like. Immutable: any thread. */

typedef struct mimi_schema mimi_schema;
typedef struct mimi_schema_builder mimi_schema_builder;

enum {
  MIMI_FIELD_U8 = 1,
  MIMI_FIELD_U16 = 2,
  MIMI_FIELD_U32 = 3,
  MIMI_FIELD_U64 = 4,
  MIMI_FIELD_I64 = 5,
  MIMI_FIELD_F64 = 6,          /* never in a key */
  MIMI_FIELD_BOOL = 7,         /* one byte, 0 or 1 */
  MIMI_FIELD_IPV4 = 8,         /* 4 bytes, network order */
  MIMI_FIELD_IPV6 = 9,         /* 16 bytes, network order */
  MIMI_FIELD_IP = 10,          /* either: 16 bytes, IPv4 as ::ffff:a.b.c.d */
  MIMI_FIELD_MAC = 11,         /* 6 bytes */
  MIMI_FIELD_PORT = 12,        /* u16, little-endian like every integer in a row */
  MIMI_FIELD_IP_PROTOCOL = 13, /* u8 */
  MIMI_FIELD_TIME = 14,        /* i64, ns since 1970 */
  MIMI_FIELD_DURATION = 15,    /* i64, ns */
  MIMI_FIELD_ENUM = 16,        /* u8 */
  MIMI_FIELD_BYTES = 17,       /* exactly N bytes */
  MIMI_FIELD_TEXT = 18         /* at most N bytes of UTF-8, padded with NUL */
};

/* Names are dotted lower-case words: "lb.flow". */
MIMI_API mimi_status mimi_schema_builder_new(const char* name, uint32_t version,
                                             mimi_schema_builder** builder, mimi_error* error);
/* Fields in row order, the key's first. `n` is N of BYTES and TEXT, and 0 for every other type. */
MIMI_API mimi_status mimi_schema_builder_key(mimi_schema_builder* builder, const char* name,
                                             int32_t type, size_t n, mimi_error* error);
MIMI_API mimi_status mimi_schema_builder_value(mimi_schema_builder* builder, const char* name,
                                               int32_t type, size_t n, mimi_error* error);
/* These change the field added last: a name for a value of an enumeration, the default (as
 * encoded), "not audited". */
MIMI_API mimi_status mimi_schema_builder_enum(mimi_schema_builder* builder, const char* name,
                                              uint8_t value, mimi_error* error);
MIMI_API mimi_status mimi_schema_builder_default(mimi_schema_builder* builder, const void* bytes,
                                                 size_t size, mimi_error* error);
MIMI_API mimi_status mimi_schema_builder_soft(mimi_schema_builder* builder, mimi_error* error);
/* Checks everything at once, and names each mistake. The builder is closed if, and only if, this
 * returns MIMI_OK. */
MIMI_API mimi_status mimi_schema_builder_build(mimi_schema_builder* builder, mimi_schema** schema,
                                               mimi_error* error);
MIMI_API mimi_status mimi_schema_builder_close(mimi_schema_builder* builder, mimi_error* error);

/* The built-in schema of a flow, table "mimi.flow" (mimi/flow.h). */
MIMI_API mimi_status mimi_schema_new_flow(mimi_schema** schema, mimi_error* error);
/* An operator's definition. `file` names the text in errors (NULL: "schema"). MIMI_UNIMPLEMENTED
 * over mimi::core. */
MIMI_API mimi_status mimi_schema_new_toml(const char* text, size_t size, const char* file,
                                          mimi_schema** schema, mimi_error* error);
MIMI_API mimi_status mimi_schema_new_json(const char* text, size_t size, const char* file,
                                          mimi_schema** schema, mimi_error* error);
/* From the bytes that mimi_schema_serialize gives; the bytes may be hostile. */
MIMI_API mimi_status mimi_schema_new_parsed(const void* bytes, size_t size, mimi_schema** schema,
                                            mimi_error* error);
MIMI_API mimi_status mimi_schema_close(mimi_schema* schema, mimi_error* error);

typedef struct mimi_schema_info {
  size_t size;
  const char* name; /* as long as the schema */
  uint64_t table;   /* TableId: how batches and stores name the table */
  uint64_t fingerprint;
  size_t key_size;
  size_t row_size;
  size_t field_count;
  uint64_t version;
} mimi_schema_info;
MIMI_API mimi_status mimi_schema_get_info(const mimi_schema* schema, mimi_schema_info* info,
                                          mimi_error* error);

typedef struct mimi_field {
  size_t size;
  const char* name;    /* as long as the schema */
  size_t field_size;   /* bytes in the row */
  size_t field_offset; /* from the start of the row */
  int32_t type;        /* MIMI_FIELD_… */
  int32_t key;
  int32_t soft;
  int32_t enum_count;
} mimi_field;
MIMI_API mimi_status mimi_schema_get_field(const mimi_schema* schema, size_t index,
                                           mimi_field* field, mimi_error* error);
/* Errors: MIMI_NOT_FOUND. */
MIMI_API mimi_status mimi_schema_find_field(const mimi_schema* schema, const char* name,
                                            size_t* index, mimi_error* error);
/* MIMI_FAILED_PRECONDITION, naming each difference, when rows of one cannot be read as rows of
 * the other. */
MIMI_API mimi_status mimi_schema_check_compatible(const mimi_schema* schema,
                                                  const mimi_schema* other, mimi_error* error);
/* The definition as JSON that mimi_schema_new_json reads (MIMI_UNIMPLEMENTED over mimi::core); and
 * as bytes. */
MIMI_API mimi_status mimi_schema_to_json(const mimi_schema* schema, char* buffer, size_t capacity,
                                         size_t* length, mimi_error* error);
MIMI_API mimi_status mimi_schema_serialize(const mimi_schema* schema, void* buffer, size_t capacity,
                                           size_t* length, mimi_error* error);

/* ---- 3. Rows --------------------------------------------------------------------------------- */
/* A row is `row_size` bytes of yours: all fields, key first, packed. Either lay a packed struct
 * over it (its fields are where mimi_field says), or use these. A row that is shorter than its
 * schema (an older writer's) can be read as far as it goes. */

/* Every field at its default. */
MIMI_API mimi_status mimi_row_init(const mimi_schema* schema, void* row, size_t row_size,
                                   mimi_error* error);
/* u64: u8 to u64, bool, port, ip_protocol, enum. i64: i64, time, duration. f64: f64. Errors:
 * MIMI_INVALID_ARGUMENT (another type, out of range), MIMI_NOT_FOUND (no such index). */
MIMI_API mimi_status mimi_row_set_u64(const mimi_schema* schema, void* row, size_t row_size,
                                      size_t field, uint64_t value, mimi_error* error);
MIMI_API mimi_status mimi_row_get_u64(const mimi_schema* schema, const void* row, size_t row_size,
                                      size_t field, uint64_t* value, mimi_error* error);
MIMI_API mimi_status mimi_row_set_i64(const mimi_schema* schema, void* row, size_t row_size,
                                      size_t field, int64_t value, mimi_error* error);
MIMI_API mimi_status mimi_row_get_i64(const mimi_schema* schema, const void* row, size_t row_size,
                                      size_t field, int64_t* value, mimi_error* error);
MIMI_API mimi_status mimi_row_set_f64(const mimi_schema* schema, void* row, size_t row_size,
                                      size_t field, double value, mimi_error* error);
MIMI_API mimi_status mimi_row_get_f64(const mimi_schema* schema, const void* row, size_t row_size,
                                      size_t field, double* value, mimi_error* error);
/* The field's bytes as they stand in the row: any type; `size` must be the field's, for TEXT at
 * most the field's. */
MIMI_API mimi_status mimi_row_set_bytes(const mimi_schema* schema, void* row, size_t row_size,
                                        size_t field, const void* bytes, size_t size,
                                        mimi_error* error);
MIMI_API mimi_status mimi_row_get_bytes(const mimi_schema* schema, const void* row, size_t row_size,
                                        size_t field, const void** bytes, size_t* size,
                                        mimi_error* error);
/* As people write it: "192.0.2.1", "443", "tcp", "established", "true", hexadecimal for BYTES. */
MIMI_API mimi_status mimi_row_set_text(const mimi_schema* schema, void* row, size_t row_size,
                                       size_t field, const char* text, mimi_error* error);
MIMI_API mimi_status mimi_row_get_text(const mimi_schema* schema, const void* row, size_t row_size,
                                       size_t field, char* buffer, size_t capacity, size_t* length,
                                       mimi_error* error);
/* MIMI_INVALID_ARGUMENT, naming the field, for bytes that cannot be a row of this schema. */
MIMI_API mimi_status mimi_row_check(const mimi_schema* schema, const void* row, size_t row_size,
                                    mimi_error* error);
/* {"client_ip":"192.0.2.1",…} (mimi/json.h). From JSON: value fields that are not named take their
 * defaults. Both MIMI_UNIMPLEMENTED over mimi::core. */
MIMI_API mimi_status mimi_row_to_json(const mimi_schema* schema, const void* row, size_t row_size,
                                      char* buffer, size_t capacity, size_t* length,
                                      mimi_error* error);
MIMI_API mimi_status mimi_row_from_json(const mimi_schema* schema, const char* text, size_t size,
                                        void* row, size_t row_size, mimi_error* error);

/* ---- 4. Batches (mimi/record.h, FORMAT.md) --------------------------------------------------- */

typedef struct mimi_batch mimi_batch;
typedef struct mimi_batch_builder mimi_batch_builder;

enum {
  MIMI_OP_PUT = 1,
  MIMI_OP_ERASE = 2,
  MIMI_OP_ERASE_ABRUPT = 3 /* drivers only: it vanished, but not by the protocol's own end */
};
enum {
  MIMI_BATCH_RESYNC_BEGIN = 1,
  MIMI_BATCH_RESYNC_END = 2,
  MIMI_BATCH_HEARTBEAT = 4,
  MIMI_BATCH_VERSIONED = 8 /* each record has its own origin and version */
};

typedef struct mimi_batch_info {
  size_t size;
  uint64_t table;
  uint64_t fingerprint;
  uint64_t origin;
  uint64_t term;
  uint64_t first_sequence;
  int64_t unix_ns; /* when the oldest record was made */
  uint64_t count;  /* records */
  size_t key_size;
  size_t row_size;
  const void* bytes; /* the whole batch; as long as the batch */
  size_t byte_count;
  uint64_t flags; /* MIMI_BATCH_… */
} mimi_batch_info;

typedef struct mimi_record {
  size_t size;
  const void* row; /* of an erase only the key means something */
  size_t row_size;
  const void* key;
  size_t key_size;
  uint64_t origin;
  uint64_t term;
  uint64_t sequence;
  uint64_t op; /* MIMI_OP_… */
} mimi_record;

/* Checks everything in `bytes`, which must be exactly one batch, and copies it. Errors:
 * MIMI_DATA_LOSS that says what is wrong. */
MIMI_API mimi_status mimi_batch_new_parsed(const void* bytes, size_t size, mimi_batch** batch,
                                           mimi_error* error);
/* Not for batches that were handed to a callback. */
MIMI_API mimi_status mimi_batch_close(mimi_batch* batch, mimi_error* error);
MIMI_API mimi_status mimi_batch_get_info(const mimi_batch* batch, mimi_batch_info* info,
                                         mimi_error* error);
/* Errors: MIMI_NOT_FOUND beyond the last. */
MIMI_API mimi_status mimi_batch_get_record(const mimi_batch* batch, size_t index,
                                           mimi_record* record, mimi_error* error);
/* The size of the batch that starts in this prefix of a stream; 0 in *size: more bytes are
 * needed. Errors: MIMI_DATA_LOSS. */
MIMI_API mimi_status mimi_batch_size_of(const void* prefix, size_t prefix_size, size_t* size,
                                        mimi_error* error);

/* `capacity` bounds each batch, in bytes; 0: 64 KiB. */
MIMI_API mimi_status mimi_batch_builder_new(const mimi_schema* schema, uint64_t origin,
                                            size_t capacity, mimi_batch_builder** builder,
                                            mimi_error* error);
MIMI_API mimi_status mimi_batch_builder_close(mimi_batch_builder* builder, mimi_error* error);
/* MIMI_RESOURCE_EXHAUSTED when the batch is full. */
MIMI_API mimi_status mimi_batch_builder_put(mimi_batch_builder* builder, const void* row,
                                            size_t row_size, mimi_error* error);
/* `op`: MIMI_OP_ERASE or MIMI_OP_ERASE_ABRUPT. */
MIMI_API mimi_status mimi_batch_builder_erase(mimi_batch_builder* builder, int32_t op,
                                              const void* key, size_t key_size, mimi_error* error);
MIMI_API mimi_status mimi_batch_builder_set_flags(mimi_batch_builder* builder, uint32_t flags,
                                                  mimi_error* error);
/* The batch so far, unsealed: what a driver applies to its sink; and sealed: what goes into a
 * store. Both belong to the builder, and are valid until its next function. */
MIMI_API mimi_status mimi_batch_builder_draft(mimi_batch_builder* builder, const mimi_batch** batch,
                                              mimi_error* error);
MIMI_API mimi_status mimi_batch_builder_seal(mimi_batch_builder* builder, uint64_t term,
                                             uint64_t first_sequence, int64_t unix_ns,
                                             const mimi_batch** batch, mimi_error* error);
MIMI_API mimi_status mimi_batch_builder_clear(mimi_batch_builder* builder, mimi_error* error);

/* The node of this name as a number (OriginOf). */
MIMI_API mimi_status mimi_origin_of(const char* node, uint64_t* origin, mimi_error* error);

/* ---- 5. Loop (mimi/loop.h) ------------------------------------------------------------------- */
/* What everything with a descriptor or a timer runs on. In a poll loop of yours: watch the poll
 * fd for reading, and call run_once when it is readable. No thread of ours. Without a loop of
 * yours: mimi_loop_run. */

typedef struct mimi_loop mimi_loop;
struct uv_loop_s;

#define MIMI_NEVER INT64_MAX

MIMI_API mimi_status mimi_loop_new(mimi_loop** loop, mimi_error* error);
/* As one handle of a libuv loop; NULL: of a uv_loop_t of its own. MIMI_UNIMPLEMENTED over
 * mimi::core. */
MIMI_API mimi_status mimi_loop_new_uv(struct uv_loop_s* host, mimi_loop** loop, mimi_error* error);
MIMI_API mimi_status mimi_loop_close(mimi_loop* loop, mimi_error* error);

/* Readable when run_once has something to do, timers included. */
MIMI_API mimi_status mimi_loop_poll_fd(mimi_loop* loop, int* fd, mimi_error* error);
/* When run_once must be called at the latest, for loops that cannot poll; MIMI_NEVER. */
MIMI_API mimi_status mimi_loop_next_deadline(mimi_loop* loop, int64_t* at_ns, mimi_error* error);
/* Does what is due, without waiting. *worked (may be NULL): whether there was anything. */
MIMI_API mimi_status mimi_loop_run_once(mimi_loop* loop, int32_t* worked, mimi_error* error);
/* Waits and works until mimi_loop_stop. */
MIMI_API mimi_status mimi_loop_run(mimi_loop* loop, mimi_error* error);
/* Ends run; any thread, and signal handlers. */
MIMI_API mimi_status mimi_loop_stop(mimi_loop* loop, mimi_error* error);
/* Makes the poll fd readable; any thread. */
MIMI_API mimi_status mimi_loop_wake(mimi_loop* loop, mimi_error* error);
/* Runs `task` on the loop thread, soon, in order; any thread. Not run any more when the loop
 * closes first. */
MIMI_API mimi_status mimi_loop_post(mimi_loop* loop, void (*task)(void* context), void* context,
                                    mimi_error* error);

/* Calls `fire` once, at `at_ns` or soon after. *timer (may be NULL) is for cancel, which is
 * harmless when it has fired. */
MIMI_API mimi_status mimi_loop_at(mimi_loop* loop, int64_t at_ns, void (*fire)(void* context),
                                  void* context, uint64_t* timer, mimi_error* error);
MIMI_API mimi_status mimi_loop_cancel(mimi_loop* loop, uint64_t timer, mimi_error* error);
enum { MIMI_READABLE = 1, MIMI_WRITABLE = 2, MIMI_FAILED = 4 };
/* Calls `ready` whenever `fd` has one of `events`. The fd stays yours: unwatch it before you
 * close it. */
MIMI_API mimi_status mimi_loop_watch_fd(mimi_loop* loop, int fd, uint32_t events,
                                        void (*ready)(void* context, uint32_t events),
                                        void* context, mimi_error* error);
MIMI_API mimi_status mimi_loop_unwatch_fd(mimi_loop* loop, int fd, mimi_error* error);

/* ---- 6. Stores (mimi/store.h) ---------------------------------------------------------------- */
/* The state repository of one pair. The loop's thread. */

typedef struct mimi_store mimi_store;
typedef struct mimi_cursor mimi_cursor;

typedef struct mimi_memory_store_options {
  size_t size;
  uint64_t
      max_rows; /* per table; 0: the default of mimi/builtin/memory_store.h, so for the others */
  uint64_t feed_bytes; /* how far back a follower may fall */
  int64_t tombstone_age;
} mimi_memory_store_options;
MIMI_API mimi_status mimi_store_new_memory(mimi_loop* loop,
                                           const mimi_memory_store_options* options,
                                           mimi_store** store, mimi_error* error);

/* What a confirmed batch survives: the death of every process (NEVER); and what follows a power cut
 * may lose: whatever the kernel had not written, the last interval, nothing.
 * mimi/builtin/file_store.h */
enum { MIMI_FSYNC_NEVER = 0, MIMI_FSYNC_INTERVAL = 1, MIMI_FSYNC_EVERY_BATCH = 2 };
typedef struct mimi_file_store_options {
  size_t size;
  uint64_t max_rows;      /* per table; 0: 16 million */
  uint64_t feed_bytes;    /* how far back a follower may fall; 0: 64 MiB */
  int64_t tombstone_age;  /* 0: 120 s */
  int64_t fsync_interval; /* 0: 10 ms */
  int32_t fsync;          /* MIMI_FSYNC_… */
  int32_t must_exist;     /* MIMI_NOT_FOUND where there is no store yet */
} mimi_file_store_options;
/* The repository in directory `path`, whose parent exists. Several processes of a host may open it.
 * The library starts one thread here unless fsync is MIMI_FSYNC_NEVER. */
MIMI_API mimi_status mimi_store_new_file(mimi_loop* loop, const char* path,
                                         const mimi_file_store_options* options, mimi_store** store,
                                         mimi_error* error);
MIMI_API mimi_status mimi_store_close(mimi_store* store, mimi_error* error);

/* Makes a table known, or joins it. Errors (in done): MIMI_FAILED_PRECONDITION (another line of
 * schemas). */
MIMI_API mimi_status mimi_store_open(mimi_store* store, const mimi_schema* schema,
                                     mimi_done_fn done, void* context, mimi_error* error);
/* The longest schema of the table's line that this handle knows; a new handle. Errors:
 * MIMI_NOT_FOUND (not open). */
MIMI_API mimi_status mimi_store_get_schema(mimi_store* store, uint64_t table, mimi_schema** schema,
                                           mimi_error* error);

enum { MIMI_CLAIM_EXCLUSIVE = 0, MIMI_CLAIM_SHARED = 1, MIMI_CLAIM_CONTROL = 2 };
typedef struct mimi_claim_request {
  size_t size;
  uint64_t origin;
  uint64_t floor;    /* the highest term that the caller ever saw */
  uint64_t expected; /* with use_expected: claim only if the newest claim has this term */
  int32_t use_expected;
  int32_t mode; /* MIMI_CLAIM_… */
} mimi_claim_request;
typedef void (*mimi_claim_fn)(void* context, mimi_status status, const char* message, uint64_t term,
                              uint64_t head);
/* Asks for a new term. Engines do it for you. */
MIMI_API mimi_status mimi_store_claim(mimi_store* store, const mimi_claim_request* request,
                                      mimi_claim_fn done, void* context, mimi_error* error);
/* Accepts a sealed batch; it is readable by others when mimi_store_confirmed reaches *position.
 * Errors: mimi/sink.h. */
MIMI_API mimi_status mimi_store_apply(mimi_store* store, const mimi_batch* batch,
                                      uint64_t* position, mimi_error* error);
MIMI_API mimi_status mimi_store_confirmed(mimi_store* store, uint64_t* position, mimi_error* error);

/* The row is valid until the callback returns. MIMI_NOT_FOUND is the answer for a key that is
 * not there. */
typedef void (*mimi_lookup_fn)(void* context, mimi_status status, const char* message,
                               const mimi_record* record);
MIMI_API mimi_status mimi_store_lookup(mimi_store* store, uint64_t table, const void* key,
                                       size_t key_size, mimi_lookup_fn done, void* context,
                                       mimi_error* error);

/* Every live row of a table (0: of all); and every batch after a position. `wake` runs on the
 * loop when next has more after it had nothing. incarnation 0: whichever the store has. */
MIMI_API mimi_status mimi_store_snapshot(mimi_store* store, uint64_t table,
                                         void (*wake)(void* context), void* context,
                                         mimi_cursor** cursor, mimi_error* error);
MIMI_API mimi_status mimi_store_watch(mimi_store* store, uint64_t incarnation, uint64_t position,
                                      void (*wake)(void* context), void* context,
                                      mimi_cursor** cursor, mimi_error* error);
/* *batch: the next one, valid until the next call; NULL: nothing now. Errors: MIMI_DATA_LOSS
 * (the feed was trimmed past this reader: take a snapshot), MIMI_UNAVAILABLE. */
MIMI_API mimi_status mimi_cursor_next(mimi_cursor* cursor, const mimi_batch** batch,
                                      mimi_error* error);
/* *done (may be NULL): a snapshot has delivered everything. */
MIMI_API mimi_status mimi_cursor_position(mimi_cursor* cursor, uint64_t* position, int32_t* done,
                                          mimi_error* error);
MIMI_API mimi_status mimi_cursor_close(mimi_cursor* cursor, mimi_error* error);

typedef struct mimi_store_state {
  size_t size;
  uint64_t incarnation;
  uint64_t head;
  uint64_t trimmed; /* the feed starts after this position */
  uint64_t term;    /* of the newest exclusive or shared claim */
  uint64_t claimant;
  uint64_t rows;
  uint64_t tombstones;
  uint64_t feed_bytes;
  uint64_t memory_bytes;
  uint64_t table_full; /* Puts left out because of max_rows */
  uint64_t fenced;     /* batches refused with MIMI_ABORTED */
  uint64_t stale;      /* records that a newer version outranked */
  int32_t available;
  int32_t mode;          /* MIMI_CLAIM_… */
  char reason[128];      /* why it is not available */
  uint64_t rows_missing; /* left out, and not brought by a resync since: the pair is degraded */
  uint64_t missing_fit;  /* of these, how many there is room for now: the writer resyncs */
} mimi_store_state;
MIMI_API mimi_status mimi_store_get_state(mimi_store* store, mimi_store_state* state,
                                          mimi_error* error);

/* Which of several processes may act, for a while (mimi/lease.h). Engines with a manager do it for
 * you. `owner` is this process's node (mimi_origin_of). */
typedef struct mimi_lease mimi_lease;
MIMI_API mimi_status mimi_lease_new(mimi_store* store, const char* name, uint64_t owner,
                                    mimi_lease** lease, mimi_error* error);
/* Does not release it: it runs out. An answer that is still owed never comes. */
MIMI_API mimi_status mimi_lease_close(mimi_lease* lease, mimi_error* error);

/* `term` grows with every change of owner; act only before `valid_until_ns`, and look at the clock
 * immediately before each effect: a process that was stopped may wake up long after. */
typedef void (*mimi_lease_fn)(void* context, mimi_status status, const char* message, uint64_t term,
                              int64_t valid_until_ns);
/* Errors (in done): MIMI_ABORTED (another holds it, by whom and for how long yet),
 * MIMI_UNAVAILABLE, MIMI_UNIMPLEMENTED (a store of yours without leases). renew: only one that is
 * held. */
MIMI_API mimi_status mimi_lease_acquire(mimi_lease* lease, int64_t ttl, mimi_lease_fn done,
                                        void* context, mimi_error* error);
MIMI_API mimi_status mimi_lease_renew(mimi_lease* lease, int64_t ttl, mimi_lease_fn done,
                                      void* context, mimi_error* error);
/* Early, so that the next one need not wait. Best effort, no answer. */
MIMI_API mimi_status mimi_lease_release(mimi_lease* lease, mimi_error* error);

/* ---- 7. Lanes and publishers (mimi/lane.h, mimi/publisher.h) --------------------------------- */
/* A packet thread writes: no lock, no system call, no allocation, never a wait. One producing
 * thread per lane. Made by mimi_engine_open_lane or mimi_publisher_open_lane. It may outlive
 * its engine or publisher; then nothing is sent any more. */

typedef struct mimi_lane mimi_lane;

/* A whole row. MIMI_RESOURCE_EXHAUSTED: the ring is full; the loss is counted and visible, and a
 * resync will be wanted. */
MIMI_API mimi_status mimi_lane_put(mimi_lane* lane, const void* row, size_t row_size,
                                   mimi_error* error);
MIMI_API mimi_status mimi_lane_erase(mimi_lane* lane, const void* key, size_t key_size,
                                     mimi_error* error);
/* The flow did not end by its protocol (a time-out, a flush): held for a moment, because dying
 * boxes do this to every flow. */
MIMI_API mimi_status mimi_lane_erase_abrupt(mimi_lane* lane, const void* key, size_t key_size,
                                            mimi_error* error);
/* A Put written in place: *row is room for a row in the ring, uninitialised; then commit or
 * abort. A claim that is never committed costs nothing. Errors: MIMI_RESOURCE_EXHAUSTED as put;
 * commit and abort without a claim: MIMI_FAILED_PRECONDITION. */
MIMI_API mimi_status mimi_lane_claim(mimi_lane* lane, void** row, mimi_error* error);
MIMI_API mimi_status mimi_lane_commit(mimi_lane* lane, mimi_error* error);
MIMI_API mimi_status mimi_lane_abort(mimi_lane* lane, mimi_error* error);

/* Output commit: a ticket for all that was put so far; the store has it when mimi_lane_confirmed
 * is not less. confirmed and lost are for any thread. */
MIMI_API mimi_status mimi_lane_mark(const mimi_lane* lane, uint64_t* ticket, mimi_error* error);
MIMI_API mimi_status mimi_lane_confirmed(const mimi_lane* lane, uint64_t* ticket,
                                         mimi_error* error);
/* Records that found no room since the lane was opened. */
MIMI_API mimi_status mimi_lane_lost(const mimi_lane* lane, uint64_t* lost, mimi_error* error);

/* *wanted, after each loss: begin, walk each of your live rows once, end, in slices between
 * packets; live puts go on meanwhile. In begin, walk and end MIMI_RESOURCE_EXHAUSTED means: no
 * room now, nothing is lost, again later. What nobody walked is erased at the end. */
MIMI_API mimi_status mimi_lane_resync_wanted(const mimi_lane* lane, int32_t* wanted,
                                             mimi_error* error);
MIMI_API mimi_status mimi_lane_begin_resync(mimi_lane* lane, mimi_error* error);
MIMI_API mimi_status mimi_lane_walk(mimi_lane* lane, const void* row, size_t row_size,
                                    mimi_error* error);
MIMI_API mimi_status mimi_lane_end_resync(mimi_lane* lane, mimi_error* error);
/* What was put is still sent. */
MIMI_API mimi_status mimi_lane_close(mimi_lane* lane, mimi_error* error);

/* A publisher is the writing half without an engine: what lanes were given goes into a store,
 * sealed, in order, and again until it is confirmed. You claim, and you tick:
 *
 *     mimi_publisher_open_lane(publisher, &lane, NULL);
 *     mimi_publisher_set_term(publisher, term, NULL);        // of mimi_store_claim
 *     while (running) {
 *       mimi_publisher_tick(publisher, &next_ns, NULL);      // 200 us while records come
 *       … poll until next_ns, mimi_loop_run_once …
 *     }
 *
 * The loop's thread, but for its lanes. */
typedef struct mimi_publisher mimi_publisher;
typedef struct mimi_publisher_options {
  size_t size;
  uint64_t ring_slots;  /* of each lane; 0: 131072 */
  uint64_t batch_size;  /* bytes; 0: 64 KiB */
  uint64_t max_pending; /* 0: 1 million */
  int64_t heartbeat;    /* an empty batch after so long without another; 0: 250 ms */
  int64_t erase_linger; /* 0: 2 s; negative: none */
  uint64_t seed;
  int32_t wake;             /* lanes make mimi_publisher_wake_fd readable */
  int32_t keep_unmentioned; /* do not erase what a resync did not mention */
} mimi_publisher_options;

/* The table is open (mimi_store_open). Errors: MIMI_INVALID_ARGUMENT naming the option. */
MIMI_API mimi_status mimi_publisher_new(mimi_store* store, const mimi_schema* schema,
                                        uint64_t origin, const mimi_publisher_options* options,
                                        mimi_publisher** publisher, mimi_error* error);
/* Sends nothing more; to hand over what is left, tick until nothing is pending, in flight or
 * held. */
MIMI_API mimi_status mimi_publisher_close(mimi_publisher* publisher, mimi_error* error);
MIMI_API mimi_status mimi_publisher_open_lane(mimi_publisher* publisher, mimi_lane** lane,
                                              mimi_error* error);

/* Sends under this term from now on; until the first call, and after mute, records wait, one per
 * key. Errors: MIMI_INVALID_ARGUMENT (0, or not above every term before it). */
MIMI_API mimi_status mimi_publisher_set_term(mimi_publisher* publisher, uint64_t term,
                                             mimi_error* error);
MIMI_API mimi_status mimi_publisher_mute(mimi_publisher* publisher, mimi_error* error);
/* Why it muted itself: MIMI_ABORTED (a newer term: stop writing, follow), or what the store refused
 * for good. */
MIMI_API mimi_status mimi_publisher_status(mimi_publisher* publisher, mimi_error* error);
/* As after a loss: mimi_lane_resync_wanted will say so. With back-off. */
MIMI_API mimi_status mimi_publisher_want_resync(mimi_publisher* publisher, mimi_error* error);

/* Does what is due, at most about 1 ms of it. *next_ns (may be NULL): when to call again. */
MIMI_API mimi_status mimi_publisher_tick(mimi_publisher* publisher, int64_t* next_ns,
                                         mimi_error* error);
/* With `wake`: readable when a producer has something and tick is due; else -1. */
MIMI_API mimi_status mimi_publisher_wake_fd(mimi_publisher* publisher, int* fd, mimi_error* error);

typedef struct mimi_publisher_stats {
  size_t size;
  uint64_t published; /* records taken from lanes */
  uint64_t coalesced; /* of these, replaced by a newer one before they were sealed */
  uint64_t sealed;    /* records */
  uint64_t batches;   /* sealed, heartbeats apart */
  uint64_t heartbeats;
  uint64_t resent;  /* batches offered again */
  uint64_t refused; /* times the store had no room */
  uint64_t lost;    /* records that found no room, or that the store refused for good */
  uint64_t muted_erases;
  uint64_t held_erases;
  uint64_t dropped_erases;
  uint64_t swept; /* rows erased at the end of resyncs */
  uint64_t resyncs_begun;
  uint64_t resyncs_done;
  uint64_t term; /* 0 while muted */
  uint64_t lanes;
  uint64_t pending;   /* entries that wait unsealed */
  uint64_t in_flight; /* sealed batches, unconfirmed */
  uint64_t holding;   /* erases held now */
  int64_t oldest_unconfirmed_unix_ns;
  int32_t resync_wanted; /* something is lost that no finished resync has repaired yet */
  int32_t resyncing;
} mimi_publisher_stats;
MIMI_API mimi_status mimi_publisher_get_stats(mimi_publisher* publisher,
                                              mimi_publisher_stats* stats, mimi_error* error);

/* ---- 8. Tables (mimi/table.h) ---------------------------------------------------------------- */
/* A VNF reads: an engine keeps the table's rows current, and packet threads look them up without
 * lock or system call, and never see a torn row. The loop's thread, but for lookups and size. */

typedef struct mimi_table mimi_table;

typedef struct mimi_table_options {
  size_t size;
  uint64_t max_rows; /* beyond it new rows are left out and counted; 0: 16 million */
  /* Traffic comes (1), or has gone (0); from the loop. */
  void (*on_active)(void* context, int32_t active);
  void* context;
} mimi_table_options;
/* For mimi_box_options.tables. */
MIMI_API mimi_status mimi_table_new(mimi_loop* loop, const mimi_schema* schema,
                                    const mimi_table_options* options, mimi_table** table,
                                    mimi_error* error);
MIMI_API mimi_status mimi_table_close(mimi_table* table, mimi_error* error);
/* Any thread, until the table is closed. Copies the row of `key` to `row` (the schema's sizes).
 * Errors: MIMI_NOT_FOUND, and *row may have been overwritten; with error NULL no message is
 * made. */
MIMI_API mimi_status mimi_table_lookup(const mimi_table* table, const void* key, size_t key_size,
                                       void* row, size_t row_size, mimi_error* error);
/* `count` keys at once, one behind the other, and rows likewise: their cache misses overlap.
 * found[i] is 1 or 0. */
MIMI_API mimi_status mimi_table_lookup_many(const mimi_table* table, const void* keys,
                                            size_t key_size, void* rows, size_t row_size,
                                            uint8_t* found, size_t count, mimi_error* error);
/* Any thread: rows, a moment ago. */
MIMI_API mimi_status mimi_table_size(const mimi_table* table, uint64_t* rows, mimi_error* error);

/* ---- 9. Engine (mimi/engine.h) --------------------------------------------------------------- */
/* One primary/minion pair, or this process's part of it. The loop's thread, but for report, wake
 * and metrics. */

typedef struct mimi_engine mimi_engine;
typedef struct mimi_driver mimi_driver; /* section 10 */
typedef struct mimi_minion mimi_minion;
typedef struct mimi_policy mimi_policy;
typedef struct mimi_steering mimi_steering;
typedef struct mimi_liveness mimi_liveness;
typedef struct mimi_view mimi_view;

enum { MIMI_PRIMARY = 0, MIMI_MINION = 1 };
enum { MIMI_HEALTH_UNKNOWN = 0, MIMI_HEALTH_UP = 1, MIMI_HEALTH_DOWN = 2 };
enum {
  MIMI_PHASE_ON_PRIMARY = 0,
  MIMI_PHASE_DIVERTING = 1,
  MIMI_PHASE_ON_MINION = 2,
  MIMI_PHASE_RESTORING = 3
};
enum { MIMI_READY = 0, MIMI_SYNCING = 1, MIMI_DEGRADED = 2, MIMI_BLIND = 3 };
enum {
  MIMI_COVERS_BEGINS = 1,   /* a new flow is seen when it begins */
  MIMI_COVERS_ENDS = 2,     /* every end is seen; else rows age out */
  MIMI_COVERS_WALK = 4,     /* live rows can be walked, so that a loss can be repaired */
  MIMI_COVERS_COMPLETE = 8, /* every flow is seen */
  MIMI_COVERS_ALL = 15
};

/* The policies of the library. `require_ready`: divert only to a `ready` minion, though the
 * primary is dead. */
MIMI_API mimi_status mimi_policy_new_immediate(int32_t require_ready, int32_t restore,
                                               mimi_policy** policy, mimi_error* error);
typedef struct mimi_damped_options {
  size_t size;
  int64_t down_for;      /* the primary must be down this long before a divert */
  int64_t up_for;        /* … and up this long before a restore; 0: 30 s */
  int64_t between_moves; /* 0: 10 s */
  int64_t within;        /* flap limit: max_moves within this time; 0: 10 min */
  int32_t max_moves;     /* 0: 4 */
  int32_t require_ready;
  int32_t no_restore;
  int32_t reserved;
} mimi_damped_options;
MIMI_API mimi_status mimi_policy_new_damped(const mimi_damped_options* options,
                                            mimi_policy** policy, mimi_error* error);
/* Never moves by itself; says what it would do. */
MIMI_API mimi_status mimi_policy_new_manual(mimi_policy** policy, mimi_error* error);
MIMI_API mimi_status mimi_policy_close(mimi_policy* policy, mimi_error* error);

/* One box, as far as this process serves it. The arrays are copied; what they point to outlives
 * the engine. */
typedef struct mimi_box_options {
  size_t size;
  const char* node; /* unique in the repository; NULL: "<pair>.primary" or "<pair>.minion" */
  const mimi_schema* const* lanes; /* tables that packet threads write */
  size_t lane_count;
  mimi_driver* const* drivers;
  size_t driver_count;
  mimi_table* const* tables; /* tables that packet threads read */
  size_t table_count;
  mimi_minion* const* minions;
  size_t minion_count;
  const char* age_field;  /* NULL: "idle_timeout" */
  uint64_t lane_coverage; /* MIMI_COVERS_…; 0: MIMI_COVERS_ALL */
} mimi_box_options;

enum {
  MIMI_STEP_ANNOUNCE = 0,
  MIMI_STEP_CATCH_UP = 1,
  MIMI_STEP_DRAIN = 2,
  MIMI_STEP_ACTIVATE = 3,
  MIMI_STEP_STEER = 4,
  MIMI_STEP_DRAIN_TAIL = 5,
  MIMI_STEP_CLAIM = 6,
  MIMI_STEP_COMMIT = 7
};

/* What the process needs that manages the pair. */
typedef struct mimi_manager_options {
  size_t size;
  const char* node;        /* of this manager; NULL: one by chance, so that several may run */
  mimi_policy* policy;     /* required */
  mimi_steering* steering; /* required */
  mimi_liveness* const* liveness;
  size_t liveness_count;
  int64_t lease_ttl;    /* 0: 3 s */
  int64_t step_timeout; /* 0: 30 s */
  uint64_t short_tail;  /* 0: 256 */
  int64_t
      source_silence; /* the primary counts as down when its source is silent this long; 0: off */
  void (*on_step)(void* context, int32_t to, int32_t step,
                  int32_t after); /* before (0) and after (1) each step of a move */
  void* context;
  uint64_t restore_without_state;
} mimi_manager_options;

typedef struct mimi_engine_options {
  size_t size;
  const char* pair;                /* NULL: "pair" */
  mimi_store* store;               /* required */
  const mimi_box_options* primary; /* NULL: not served here */
  const mimi_box_options* minion;
  const mimi_manager_options* manager; /* NULL: not managed here */
  /* Something worth telling an operator; never one per record. Kinds: "phase", "readiness",
   * "liveness", "decision", "claim", "fenced", "lost", "resync", "load", "audit", "error". */
  void (*on_event)(void* context, int64_t unix_ns, const char* kind, const char* detail);
  void* context;
  int64_t max_staleness; /* 0: 1 s */
  int64_t blind_after;   /* 0: 3 s */
  int64_t report_every;  /* 0: 250 ms */
  int64_t audit_every;   /* 0: 5 min; negative: only on request */
  uint64_t max_rows;     /* that a replica keeps of one table; 0: 10 million */
  uint64_t seed;
  uint64_t ring_slots;   /* of each lane; 0: 131072 */
  uint64_t batch_size;   /* bytes; 0: 64 KiB */
  uint64_t max_pending;  /* 0: 1 million */
  int64_t erase_linger;  /* 0: 2 s; negative: none */
  int32_t shared_claims; /* steering is passive; the same in every process of the pair */
  int32_t wake; /* lanes wake the loop: lower latency, a system call when a ring was idle */
} mimi_engine_options;

/* Errors: MIMI_INVALID_ARGUMENT naming the option. */
MIMI_API mimi_status mimi_engine_new(mimi_loop* loop, const mimi_engine_options* options,
                                     mimi_engine** engine, mimi_error* error);
/* Like a crash of the process: nothing in the data plane changes; mimi_engine_stop first drains
 * what lanes hold. */
MIMI_API mimi_status mimi_engine_close(mimi_engine* engine, mimi_error* error);

/* Opens tables, starts drivers and sinks; the first run does it if you don't, and returns its
 * error. */
MIMI_API mimi_status mimi_engine_start(mimi_engine* engine, mimi_error* error);
/* Drains the lanes, releases the lease, stops drivers; at most `timeout`. */
MIMI_API mimi_status mimi_engine_stop(mimi_engine* engine, int64_t timeout, mimi_done_fn done,
                                      void* context, mimi_error* error);

/* The loop's doors (section 5), so that firmware needs to know one object only. */
MIMI_API mimi_status mimi_engine_poll_fd(mimi_engine* engine, int* fd, mimi_error* error);
MIMI_API mimi_status mimi_engine_next_deadline(mimi_engine* engine, int64_t* at_ns,
                                               mimi_error* error);
MIMI_API mimi_status mimi_engine_run_once(mimi_engine* engine, int32_t* worked, mimi_error* error);
MIMI_API mimi_status mimi_engine_run(mimi_engine* engine, mimi_error* error);
/* Any thread. */
MIMI_API mimi_status mimi_engine_wake(mimi_engine* engine, mimi_error* error);

/* A lane for one producing thread; call on the loop's thread. Errors: MIMI_NOT_FOUND (not in
 * lanes). */
MIMI_API mimi_status mimi_engine_open_lane(mimi_engine* engine, int32_t side,
                                           const mimi_schema* schema, mimi_lane** lane,
                                           mimi_error* error);

/* What a liveness of yours has seen. Any thread. at_ns 0: now. */
MIMI_API mimi_status mimi_engine_report(mimi_engine* engine, int32_t side, int32_t health,
                                        int64_t at_ns, const char* reason, mimi_error* error);
/* Planned moves asked for by an operator; the answer (in done) comes at the end. Errors there:
 * MIMI_FAILED_PRECONDITION (not ready, why), MIMI_ABORTED (another process manages),
 * MIMI_UNIMPLEMENTED (no manager here). */
MIMI_API mimi_status mimi_engine_divert(mimi_engine* engine, mimi_done_fn done, void* context,
                                        mimi_error* error);
MIMI_API mimi_status mimi_engine_restore(mimi_engine* engine, mimi_done_fn done, void* context,
                                         mimi_error* error);

typedef struct mimi_audit_result {
  size_t size;
  uint64_t compared;
  uint64_t missing; /* in the store, not in the data plane */
  uint64_t extra;   /* in the data plane, not in the store */
  uint64_t different;
  uint64_t repaired;
  const char* findings; /* the first ones in words, a line each */
} mimi_audit_result;
typedef void (*mimi_audit_fn)(void* context, mimi_status status, const char* message,
                              const mimi_audit_result* result);
/* Compares the sinks of `side` that live here with the store, and repairs them. */
MIMI_API mimi_status mimi_engine_audit(mimi_engine* engine, int32_t side, mimi_audit_fn done,
                                       void* context, mimi_error* error);

/* Calls `visit` for each metric, on this thread, before it returns. Any thread: the values are
 * at most 250 ms older than the last run. `labels`: `side="minion",reason="…"` or "". counter:
 * it only grows. */
typedef void (*mimi_metric_fn)(void* context, const char* name, const char* labels, double value,
                               int32_t counter);
MIMI_API mimi_status mimi_engine_metrics(mimi_engine* engine, mimi_metric_fn visit, void* context,
                                         mimi_error* error);

/* A picture of the pair: of now, until closed; a policy is shown one as well. */
MIMI_API mimi_status mimi_engine_view(mimi_engine* engine, mimi_view** view, mimi_error* error);
MIMI_API mimi_status mimi_view_close(mimi_view* view, mimi_error* error);

typedef struct mimi_pair_view {
  size_t size;
  uint64_t moves;    /* for mimi_view_get_move */
  int32_t phase;     /* MIMI_PHASE_… */
  int32_t traffic;   /* where it really goes: MIMI_PRIMARY, MIMI_MINION */
  int32_t unfenced;  /* moved while the store could not be asked */
  int32_t acting;    /* this process holds the manager's lease */
  int32_t step;      /* MIMI_STEP_… of the move under way, or -1 */
  int32_t readiness; /* of the box that has not the traffic */
} mimi_pair_view;
MIMI_API mimi_status mimi_view_get_pair(const mimi_view* view, mimi_pair_view* pair,
                                        mimi_error* error);

typedef struct mimi_box_view {
  size_t size;
  int64_t health_since_ns;
  uint64_t rows; /* confirmed in its data plane */
  uint64_t rows_behind;
  int32_t health;    /* MIMI_HEALTH_… */
  int32_t usable;    /* as a target for the traffic */
  int32_t writable;  /* state can be given to it */
  int32_t readiness; /* MIMI_READY, … */
  char health_reason[128];
  char readiness_reason[256];
} mimi_box_view;
MIMI_API mimi_status mimi_view_get_box(const mimi_view* view, int32_t side, mimi_box_view* box,
                                       mimi_error* error);

enum { MIMI_PART_SOURCE = 0, MIMI_PART_SINK = 1 };
/* What a box's source or sink last reported, wherever it runs. */
typedef struct mimi_part_view {
  size_t size;
  int64_t since_heard;
  uint64_t node;
  uint64_t term;
  uint64_t position;
  uint64_t waiting;
  uint64_t rows;
  uint64_t lost;
  uint64_t refused;
  uint64_t resyncs;
  uint64_t differing;
  int64_t staleness_p50;
  int64_t staleness_p99;
  int64_t staleness_max;
  int32_t heard;
  int32_t healthy;
  int32_t active;
  int32_t syncing;
  int32_t readiness;
  int32_t coverage; /* MIMI_COVERS_… */
  char reason[128];
} mimi_part_view;
/* MIMI_NOT_FOUND in the view that a policy is shown. */
MIMI_API mimi_status mimi_view_get_part(const mimi_view* view, int32_t side, int32_t part,
                                        mimi_part_view* out, mimi_error* error);

typedef struct mimi_move {
  size_t size;
  int64_t at_ns;
  int64_t took;
  int32_t to;
  int32_t planned;
  int32_t succeeded;
  int32_t reserved;
  char reason[256];
} mimi_move;
/* 0 is the oldest. Errors: MIMI_NOT_FOUND. */
MIMI_API mimi_status mimi_view_get_move(const mimi_view* view, uint64_t index, mimi_move* move,
                                        mimi_error* error);
/* All of it, for people and programs. */
MIMI_API mimi_status mimi_view_to_json(const mimi_view* view, char* buffer, size_t capacity,
                                       size_t* length, mimi_error* error);

/* ---- 10. Back ends of your own --------------------------------------------------------------- */
/* A struct of functions becomes a driver, minion, store, policy, steering or liveness, as if it
 * were written in C++: the contracts in mimi/driver.h and its siblings hold word for word. Each
 * `ops` struct: `size`, functions, `self` (handed to each of them), `destroy` (may be NULL;
 * called exactly once, in _close, after the last callback). A missing required function is
 * refused by name. When making one fails, destroy is not called: self is still yours. Answers
 * that take time: a function that is given an `answer` answers by one of mimi_answer_…, once, at
 * once or later, on the loop's thread (from elsewhere: mimi_loop_post). What waited for the
 * answer then runs from the loop, never inside your call. When the object or its engine has gone
 * meanwhile, the answer is MIMI_NOT_FOUND, and harmless. State (rows, health, losses) is told
 * when it changes, by …_set_state, and confirmation by …_confirm with a position. Functions that
 * return a mimi_status may fill *error (never NULL) to say why. */

typedef uint64_t mimi_answer;
MIMI_API mimi_status mimi_answer_done(mimi_loop* loop, mimi_answer answer, mimi_status status,
                                      const char* message, mimi_error* error);
/* For the success of claim, lookup, lease and observe; their failures by mimi_answer_done. */
MIMI_API mimi_status mimi_answer_claim(mimi_loop* loop, mimi_answer answer, uint64_t term,
                                       uint64_t head, mimi_error* error);
MIMI_API mimi_status mimi_answer_lookup(mimi_loop* loop, mimi_answer answer,
                                        const mimi_record* record, mimi_error* error);
MIMI_API mimi_status mimi_answer_lease(mimi_loop* loop, mimi_answer answer, uint64_t term,
                                       int64_t valid_until_ns, mimi_error* error);
MIMI_API mimi_status mimi_answer_observe(mimi_loop* loop, mimi_answer answer, int32_t side,
                                         mimi_error* error);

/* -- Driver (mimi/driver.h) -- */
typedef struct mimi_sink mimi_sink; /* from start to stop */
MIMI_API mimi_status mimi_sink_apply(mimi_sink* sink, const mimi_batch* draft, uint64_t* position,
                                     mimi_error* error);
MIMI_API mimi_status mimi_sink_confirmed(mimi_sink* sink, uint64_t* position, mimi_error* error);

typedef struct mimi_driver_ops {
  size_t size;
  mimi_status (*start)(void* self, mimi_sink* sink, mimi_error* error); /* required */
  mimi_status (*resync)(void* self, mimi_error* error); /* NULL: the source cannot be walked */
  void (*stop)(void* self);                             /* required */
  void* self;
  void (*destroy)(void* self);
  const char* limits; /* for people: what this source cannot know */
  uint64_t coverage;  /* MIMI_COVERS_…; 0: MIMI_COVERS_ALL, without WALK when resync is NULL */
} mimi_driver_ops;
MIMI_API mimi_status mimi_driver_new(mimi_loop* loop, const mimi_schema* schema,
                                     const mimi_driver_ops* ops, mimi_driver** driver,
                                     mimi_error* error);
MIMI_API mimi_status mimi_driver_close(mimi_driver* driver, mimi_error* error);

typedef struct mimi_driver_state {
  size_t size;
  uint64_t rows; /* live rows known to the source; 0 if not counted */
  uint64_t events;
  uint64_t refused; /* inputs that meant nothing */
  uint64_t lost;    /* only grows; each growth leads to a resync */
  int32_t unhealthy;
  int32_t walking;
  char reason[128];
} mimi_driver_state;
MIMI_API mimi_status mimi_driver_set_state(mimi_driver* driver, const mimi_driver_state* state,
                                           mimi_error* error);

/* -- Minion (mimi/minion.h) -- */
typedef struct mimi_audit mimi_audit;
MIMI_API mimi_status mimi_audit_row(mimi_audit* audit, const void* row, size_t row_size,
                                    mimi_error* error);
MIMI_API mimi_status mimi_audit_finding(mimi_audit* audit, const char* kind, const char* detail,
                                        mimi_error* error);

typedef struct mimi_minion_ops {
  size_t size;
  /* Required. *position: where this batch will be confirmed, your own count; never less than the
   * last. */
  mimi_status (*apply)(void* self, const mimi_batch* batch, uint64_t* position, mimi_error* error);
  void (*warm)(void* self, mimi_answer answer); /* NULL: nothing to do; so for the next two */
  void (*activate)(void* self, mimi_answer answer);
  void (*retire)(void* self, mimi_answer answer);
  /* Shows up to `budget` rows by mimi_audit_row; *ended: the pass is over. NULL: cannot be audited.
   */
  mimi_status (*audit)(void* self, mimi_audit* audit, size_t budget, int32_t* ended,
                       mimi_error* error);
  void* self;
  void (*destroy)(void* self);
} mimi_minion_ops;
MIMI_API mimi_status mimi_minion_new(mimi_loop* loop, const mimi_schema* schema,
                                     const mimi_minion_ops* ops, mimi_minion** minion,
                                     mimi_error* error);
MIMI_API mimi_status mimi_minion_close(mimi_minion* minion, mimi_error* error);
/* Everything up to here is in the data plane. A position less than before is refused. */
MIMI_API mimi_status mimi_minion_confirm(mimi_minion* minion, uint64_t position, mimi_error* error);

typedef struct mimi_minion_state {
  size_t size;
  uint64_t rows;
  uint64_t capacity; /* 0: not known */
  uint64_t refused;  /* rows that it could not hold */
  int32_t unhealthy;
  int32_t active;
  char reason[128];
} mimi_minion_state;
MIMI_API mimi_status mimi_minion_set_state(mimi_minion* minion, const mimi_minion_state* state,
                                           mimi_error* error);

/* -- Store (mimi/store.h) -- */
typedef struct mimi_cursor_item {
  size_t size;
  const void* bytes; /* one batch; valid until the next call. NULL: nothing now */
  size_t byte_count;
  uint64_t position; /* watch: after this batch */
  uint64_t done;     /* snapshot: everything was delivered */
} mimi_cursor_item;

typedef struct mimi_store_ops {
  size_t size;
  /* All required but the leases. */
  void (*open)(void* self, const mimi_schema* schema, mimi_answer answer);
  void (*claim)(void* self, const mimi_claim_request* request, mimi_answer answer);
  mimi_status (*apply)(void* self, const mimi_batch* batch, uint64_t* position, mimi_error* error);
  void (*lookup)(void* self, uint64_t table, const void* key, size_t key_size, mimi_answer answer);
  /* *position: the P that the snapshot was taken at. */
  mimi_status (*snapshot)(void* self, uint64_t table, void** cursor, uint64_t* position,
                          mimi_error* error);
  mimi_status (*watch)(void* self, uint64_t incarnation, uint64_t position, void** cursor,
                       mimi_error* error);
  mimi_status (*cursor_next)(void* self, void* cursor, mimi_cursor_item* item, mimi_error* error);
  void (*cursor_close)(void* self, void* cursor);
  /* All or none. NULL: no leases, so no manager can run on this store. */
  void (*lease_acquire)(void* self, const char* name, uint64_t owner, int64_t ttl,
                        mimi_answer answer);
  void (*lease_renew)(void* self, const char* name, uint64_t owner, int64_t ttl,
                      mimi_answer answer);
  void (*lease_release)(void* self, const char* name, uint64_t owner);
  void* self;
  void (*destroy)(void* self);
} mimi_store_ops;
MIMI_API mimi_status mimi_store_new(mimi_loop* loop, const mimi_store_ops* ops, mimi_store** store,
                                    mimi_error* error);
/* Readable by watch up to here; for stores of your own only, like the next two. */
MIMI_API mimi_status mimi_store_confirm(mimi_store* store, uint64_t position, mimi_error* error);
/* Cursors that had nothing have something now. */
MIMI_API mimi_status mimi_store_wake(mimi_store* store, mimi_error* error);
MIMI_API mimi_status mimi_store_set_state(mimi_store* store, const mimi_store_state* state,
                                          mimi_error* error);

/* -- Policy (mimi/failover.h) -- */
enum { MIMI_STAY = 0, MIMI_DIVERT = 1, MIMI_RESTORE = 2 };
typedef struct mimi_decision {
  size_t size;
  int64_t retry_at_ns; /* ask again then; 0: not before something happens */
  int32_t action;      /* MIMI_STAY, … */
  int32_t planned;
  char reason[256];
} mimi_decision;
typedef struct mimi_policy_ops {
  size_t size;
  const char* name; /* required */
  /* Required; pure. *decision is MIMI_STAY when you are called. */
  void (*decide)(void* self, const mimi_view* view, int64_t now_ns, mimi_decision* decision);
  void* self;
  void (*destroy)(void* self);
} mimi_policy_ops;
MIMI_API mimi_status mimi_policy_new(const mimi_policy_ops* ops, mimi_policy** policy,
                                     mimi_error* error);

/* -- Steering (mimi/steering.h) -- */
typedef struct mimi_steering_ops {
  size_t size;
  const char* name;                               /* required */
  void (*divert)(void* self, mimi_answer answer); /* required, like the next two; idempotent */
  void (*restore)(void* self, mimi_answer answer);
  void (*observe)(void* self,
                  mimi_answer answer); /* the truth from the network: mimi_answer_observe */
  void* self;
  void (*destroy)(void* self);
  uint64_t passive; /* the network moves traffic by itself */
} mimi_steering_ops;
MIMI_API mimi_status mimi_steering_new(mimi_loop* loop, const mimi_steering_ops* ops,
                                       mimi_steering** steering, mimi_error* error);
MIMI_API mimi_status mimi_steering_close(mimi_steering* steering, mimi_error* error);
/* Ask immediately before the effect of divert or restore. *may 0: this manager may not act any
 * more; answer MIMI_ABORTED. */
MIMI_API mimi_status mimi_steering_may_act(mimi_steering* steering, mimi_answer answer,
                                           int32_t* may, mimi_error* error);

/* -- Liveness (mimi/liveness.h) -- */
typedef struct mimi_liveness_ops {
  size_t size;
  const char* name;                                    /* required */
  mimi_status (*start)(void* self, mimi_error* error); /* required */
  void (*stop)(void* self);                            /* required */
  void* self;
  void (*destroy)(void* self);
} mimi_liveness_ops;
MIMI_API mimi_status mimi_liveness_new(mimi_loop* loop, const mimi_liveness_ops* ops,
                                       mimi_liveness** liveness, mimi_error* error);
MIMI_API mimi_status mimi_liveness_close(mimi_liveness* liveness, mimi_error* error);
/* Changes only, from start to stop, with the time of the evidence (0: now). */
MIMI_API mimi_status mimi_liveness_report(mimi_liveness* liveness, int32_t side, int32_t health,
                                          int64_t at_ns, const char* reason, mimi_error* error);

#ifdef __cplusplus
} /* extern "C" */

template <class T>
inline T mimi_cpp_init() {
  T value = T();
  value.size = sizeof(T);
  return value;
}
#endif

#endif /* MIMI_C_MIMI_H_ */
