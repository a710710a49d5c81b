/* Compiled in each C++ standard: the header alone, twice, and its macros. */

#include <mimi/c/mimi.h>

size_t header_test();
size_t header_test() {
  const mimi_record record = MIMI_INIT(mimi_record);
  const mimi_engine_options options = MIMI_INIT(mimi_engine_options);
  return record.size + options.size;
}
