// What only the loop on libuv has: a host.
#include "mimi/builtin/uv_loop.h"

#include <doctest/doctest.h>
#include <uv.h>

#include "tests/io/loop_under_test.h"

std::unique_ptr<mimi::Loop> NewLoopUnderTest() {
  return *mimi::NewUvLoop();
}

namespace {

TEST_CASE("uv loop: a host loop that the program runs itself runs our timers and tasks") {
  uv_loop_t host;
  REQUIRE(uv_loop_init(&host) == 0);
  {
    std::unique_ptr<mimi::Loop> loop = *mimi::NewUvLoop(&host);
    int ran = 0;
    loop->Post([&] { ++ran; });
    loop->At(loop->now() + std::chrono::microseconds(300), [&] {
      ++ran;
      uv_stop(&host);
    });
    uv_run(&host, UV_RUN_DEFAULT);
    CHECK(ran == 2);
  }
  uv_run(&host, UV_RUN_NOWAIT);
  CHECK(uv_loop_close(&host) == 0);
}

TEST_CASE("uv loop: Run() runs the host's own handles") {
  uv_loop_t host;
  REQUIRE(uv_loop_init(&host) == 0);
  uv_timer_t timer;
  REQUIRE(uv_timer_init(&host, &timer) == 0);
  {
    std::unique_ptr<mimi::Loop> loop = *mimi::NewUvLoop(&host);
    timer.data = loop.get();
    uv_timer_start(
        &timer, [](uv_timer_t* handle) { static_cast<mimi::Loop*>(handle->data)->Stop(); }, 1, 0);
    CHECK(loop->NextDeadline().has_value());
    loop->Run();
  }
  uv_close(reinterpret_cast<uv_handle_t*>(&timer), nullptr);
  uv_run(&host, UV_RUN_NOWAIT);
  CHECK(uv_loop_close(&host) == 0);
}

}  // namespace
