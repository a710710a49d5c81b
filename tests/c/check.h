#ifndef MIMI_TESTS_C_CHECK_H_
#define MIMI_TESTS_C_CHECK_H_

/* The few macros that tests of the C ABI need, in C. A test is a function; each file lists its
 * tests in an array that main.c runs. */

#include <mimi/c/mimi.h>
#include <stdio.h>
#include <string.h>

typedef struct test {
  const char* name;
  void (*run)(void);
} test;

extern int check_failures;
void check_failed(const char* file, int line, const char* what, const char* message);

#define CHECK(condition)                                \
  do {                                                  \
    if (!(condition)) {                                 \
      check_failed(__FILE__, __LINE__, #condition, ""); \
    }                                                   \
  } while (0)

/* The call must answer with this status; and, if `text` is not NULL, with a message that holds
 * it. */
void check_status(const char* file, int line, const char* call, mimi_status seen,
                  mimi_status expected, const mimi_error* error, const char* text);
#define CHECK_OK(call) CHECK_STATUS(call, MIMI_OK, NULL)
#define CHECK_STATUS(call, expected, text)                                       \
  do {                                                                           \
    mimi_error error;                                                            \
    mimi_status check_seen;                                                      \
    memset(&error, 0, sizeof error);                                             \
    check_seen = (call);                                                         \
    check_status(__FILE__, __LINE__, #call, check_seen, expected, &error, text); \
  } while (0)

/* What several files need. */
mimi_loop* new_loop(void);
mimi_schema* new_lb_flow(void); /* lb.flow: client_ip ipv4, client_port port -> backend_ip ipv4 */
void run_until(mimi_loop* loop, const int* flag); /* at most 20 s of the clock, then a failure */

#pragma pack(push, 1)
typedef struct lb_flow {
  uint8_t client_ip[4];
  uint16_t client_port;
  uint8_t backend_ip[4];
} lb_flow;
#pragma pack(pop)
enum { LB_KEY = 6, LB_ROW = 10 };
lb_flow lb_row(uint16_t port);

#endif /* MIMI_TESTS_C_CHECK_H_ */
