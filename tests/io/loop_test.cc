// The contract of Loop with real descriptors and timers. Nothing here sleeps: each case waits on
// the loop's own descriptor for what it expects, with a bound that only a hang reaches.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "tests/io/loop_under_test.h"

namespace {

using namespace std::chrono_literals;
using mimi::Loop;
using mimi::MonotonicTime;
using mimi::TimerId;

constexpr int kHangMs = 20'000;

bool Readable(int fd, int timeout_ms = 0) {
  pollfd poll_fd{.fd = fd, .events = POLLIN, .revents = 0};
  return poll(&poll_fd, 1, timeout_ms) == 1;
}

// Runs the loop the way firmware does until `done`; false when it hangs.
bool RunUntil(Loop& loop, const std::function<bool()>& done) {
  while (!done()) {
    if (!Readable(loop.PollFd(), kHangMs)) {
      return false;
    }
    loop.RunOnce();
  }
  return true;
}

// Everything that is due now has been done after this.
void RunDry(Loop& loop) {
  for (int i = 0; i < 100 && Readable(loop.PollFd()); ++i) {
    loop.RunOnce();
  }
}

struct SocketPair {
  SocketPair() { REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds.data()) == 0); }
  ~SocketPair() {
    CloseNear();
    CloseFar();
  }
  SocketPair(const SocketPair&) = delete;
  SocketPair& operator=(const SocketPair&) = delete;
  int near() const { return fds[0]; }
  void Send() const { REQUIRE(write(fds[1], "x", 1) == 1); }
  void Drain() const {
    std::array<char, 64> buffer;
    while (read(fds[0], buffer.data(), buffer.size()) > 0) {}
  }
  void CloseNear() { Close(fds[0]); }
  void CloseFar() { Close(fds[1]); }
  static void Close(int& fd) {
    if (fd >= 0) {
      close(fd);
      fd = -1;
    }
  }
  std::array<int, 2> fds{-1, -1};
};

TEST_CASE("loop: timers fire in the order of their moments, and none before its moment") {
  const auto loop = NewLoopUnderTest();
  std::vector<int> order;
  const MonotonicTime start = loop->now();
  MonotonicTime last_fired;
  for (const int i : {3, 1, 2, 0}) {
    loop->At(start + i * 500us, [&, i] {
      CHECK(loop->now() >= start + i * 500us);
      order.push_back(i);
      last_fired = loop->now();
    });
  }
  REQUIRE(RunUntil(*loop, [&] { return order.size() == 4; }));
  CHECK(order == std::vector<int>{0, 1, 2, 3});
  CHECK_FALSE(loop->NextDeadline().has_value());
}

TEST_CASE("loop: a timer of the past makes the descriptor readable at once") {
  const auto loop = NewLoopUnderTest();
  bool fired = false;
  loop->At(MonotonicTime{} - 1h, [&] { fired = true; });
  CHECK(Readable(loop->PollFd(), kHangMs));
  REQUIRE(RunUntil(*loop, [&] { return fired; }));
  RunDry(*loop);
  CHECK_FALSE(Readable(loop->PollFd()));
}

TEST_CASE("loop: an earlier timer that is added later fires first") {
  const auto loop = NewLoopUnderTest();
  bool late = false;
  bool early = false;
  const TimerId timer = loop->At(loop->now() + 1h, [&] { late = true; });
  loop->At(loop->now() + 1ms, [&] { early = true; });
  REQUIRE(RunUntil(*loop, [&] { return early; }));
  CHECK_FALSE(late);
  REQUIRE(loop->NextDeadline().has_value());
  CHECK(*loop->NextDeadline() > loop->now() + 59min);
  loop->Cancel(timer);
  CHECK_FALSE(loop->NextDeadline().has_value());
}

TEST_CASE("loop: a cancelled timer does not fire, and its id does not cancel a successor") {
  const auto loop = NewLoopUnderTest();
  int cancelled = 0;
  int fired = 0;
  const TimerId first = loop->At(loop->now(), [&] { ++cancelled; });
  loop->Cancel(first);
  const TimerId second = loop->At(loop->now(), [&] { ++fired; });
  CHECK(first != second);
  CHECK(second != 0);
  loop->Cancel(first);
  loop->Cancel(0);
  REQUIRE(RunUntil(*loop, [&] { return fired == 1; }));
  loop->Cancel(second);  // has fired: harmless
  CHECK(cancelled == 0);
}

TEST_CASE("loop: a timer may cancel another of the same moment, and itself") {
  const auto loop = NewLoopUnderTest();
  const MonotonicTime at = loop->now();
  int fired = 0;
  TimerId first = 0;
  TimerId second = 0;
  first = loop->At(at, [&] {
    ++fired;
    loop->Cancel(first);
    loop->Cancel(second);
  });
  second = loop->At(at, [&] { fired += 100; });
  REQUIRE(RunUntil(*loop, [&] { return fired > 0; }));
  RunDry(*loop);
  CHECK(fired == 1);
}

TEST_CASE("loop: a timer that re-arms itself for the past does not keep the loop") {
  const auto loop = NewLoopUnderTest();
  int fired = 0;
  std::function<void()> again = [&] {
    ++fired;
    loop->At(MonotonicTime{}, again);
  };
  again();
  CHECK(loop->RunOnce());
  CHECK(fired == 2);
  CHECK(Readable(loop->PollFd(), kHangMs));
}

TEST_CASE("loop: thousands of timers set and cancelled leave the right one") {
  const auto loop = NewLoopUnderTest();
  int fired = 0;
  for (int i = 0; i < 10'000; ++i) {
    loop->Cancel(loop->At(loop->now() + 1h, [&] { fired += 100; }));
  }
  loop->At(loop->now() + 100us, [&] { ++fired; });
  REQUIRE(RunUntil(*loop, [&] { return fired > 0; }));
  CHECK(fired == 1);
}

TEST_CASE("loop: a watched descriptor is reported as long as it is ready") {
  const auto loop = NewLoopUnderTest();
  const SocketPair pair;
  int calls = 0;
  REQUIRE(loop->WatchFd(pair.near(), mimi::kReadable,
                        [&](std::uint32_t events) {
                          CHECK(events == mimi::kReadable);
                          ++calls;
                        })
              .ok());
  RunDry(*loop);
  CHECK(calls == 0);
  pair.Send();
  REQUIRE(RunUntil(*loop, [&] { return calls == 3; }));
  pair.Drain();
  RunDry(*loop);
  CHECK(calls == 3);
  loop->UnwatchFd(pair.near());
  pair.Send();
  CHECK_FALSE(Readable(loop->PollFd()));
}

TEST_CASE("loop: writable is reported, and a second watch replaces the first") {
  const auto loop = NewLoopUnderTest();
  const SocketPair pair;
  std::uint32_t first = 0;
  std::uint32_t second = 0;
  REQUIRE(loop->WatchFd(pair.near(), mimi::kReadable, [&](std::uint32_t e) { first |= e; }).ok());
  REQUIRE(loop->WatchFd(pair.near(), mimi::kWritable, [&](std::uint32_t e) { second |= e; }).ok());
  pair.Send();
  REQUIRE(RunUntil(*loop, [&] { return second != 0; }));
  CHECK(first == 0);
  CHECK(second == mimi::kWritable);
  loop->UnwatchFd(pair.near());
}

TEST_CASE("loop: a hang-up counts even where nothing else is watched") {
  const auto loop = NewLoopUnderTest();
  SocketPair pair;
  std::uint32_t seen = 0;
  REQUIRE(loop->WatchFd(pair.near(), 0, [&](std::uint32_t events) { seen |= events; }).ok());
  pair.CloseFar();
  REQUIRE(RunUntil(*loop, [&] { return seen != 0; }));
  CHECK((seen & mimi::kFailed) != 0);
  loop->UnwatchFd(pair.near());
}

TEST_CASE("loop: a callback may unwatch itself and another that is ready in the same round") {
  const auto loop = NewLoopUnderTest();
  const SocketPair a;
  const SocketPair b;
  int calls = 0;
  const auto unwatch_both = [&](std::uint32_t) {
    ++calls;
    loop->UnwatchFd(a.near());
    loop->UnwatchFd(b.near());
  };
  REQUIRE(loop->WatchFd(a.near(), mimi::kReadable, unwatch_both).ok());
  REQUIRE(loop->WatchFd(b.near(), mimi::kReadable, unwatch_both).ok());
  a.Send();
  b.Send();
  REQUIRE(RunUntil(*loop, [&] { return calls > 0; }));
  RunDry(*loop);
  CHECK(calls == 1);
}

TEST_CASE("loop: what a closed descriptor had to say does not reach its number's next owner") {
  const auto loop = NewLoopUnderTest();
  SocketPair a;
  SocketPair b;
  const SocketPair fresh;
  int reused = 0;
  int calls = 0;
  // Whichever runs first closes the other and gives its number to a quiet socket.
  const auto replace = [&](SocketPair& other) {
    ++calls;
    const int number = other.near();
    loop->UnwatchFd(number);
    REQUIRE(dup2(fresh.near(), number) == number);
    REQUIRE(loop->WatchFd(number, mimi::kReadable, [&](std::uint32_t) { ++reused; }).ok());
  };
  REQUIRE(loop->WatchFd(a.near(), mimi::kReadable,
                        [&](std::uint32_t) {
                          a.Drain();
                          replace(b);
                        })
              .ok());
  REQUIRE(loop->WatchFd(b.near(), mimi::kReadable,
                        [&](std::uint32_t) {
                          b.Drain();
                          replace(a);
                        })
              .ok());
  a.Send();
  b.Send();
  REQUIRE(RunUntil(*loop, [&] { return calls > 0; }));
  RunDry(*loop);
  CHECK(calls == 1);
  CHECK(reused == 0);
  fresh.Send();
  REQUIRE(RunUntil(*loop, [&] { return reused > 0; }));
  loop->UnwatchFd(a.near());
  loop->UnwatchFd(b.near());
}

TEST_CASE("loop: two numbers of one descriptor are watched apart") {
  const auto loop = NewLoopUnderTest();
  const SocketPair pair;
  const int twin = dup(pair.near());
  REQUIRE(twin >= 0);
  int first = 0;
  int second = 0;
  REQUIRE(loop->WatchFd(pair.near(), mimi::kReadable, [&](std::uint32_t) { ++first; }).ok());
  REQUIRE(loop->WatchFd(twin, mimi::kReadable, [&](std::uint32_t) { ++second; }).ok());
  pair.Send();
  REQUIRE(RunUntil(*loop, [&] { return first > 0 && second > 0; }));
  loop->UnwatchFd(pair.near());
  const int before = first;
  const int second_before = second;
  REQUIRE(RunUntil(*loop, [&] { return second > second_before + 2; }));
  CHECK(first == before);
  loop->UnwatchFd(twin);
  close(twin);
}

TEST_CASE("loop: a number that was closed and opened again can be watched again") {
  const auto loop = NewLoopUnderTest();
  SocketPair old;
  const SocketPair fresh;
  const int number = old.near();
  int calls = 0;
  REQUIRE(loop->WatchFd(number, mimi::kReadable, [&](std::uint32_t) { calls += 100; }).ok());
  old.CloseNear();  // without UnwatchFd: the kernel has forgotten it, the loop has not
  REQUIRE(fcntl(fresh.near(), F_DUPFD, number) == number);
  REQUIRE(loop->WatchFd(number, mimi::kReadable, [&](std::uint32_t) { ++calls; }).ok());
  fresh.Send();
  REQUIRE(RunUntil(*loop, [&] { return calls > 0; }));
  CHECK(calls < 100);
  loop->UnwatchFd(number);
  close(number);
}

TEST_CASE("loop: what cannot be watched is refused by name") {
  const auto loop = NewLoopUnderTest();
  const absl::Status status = loop->WatchFd(-1, mimi::kReadable, [](std::uint32_t) {});
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  const int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);  // a regular file has no readiness
  REQUIRE(file >= 0);
  CHECK(loop->WatchFd(file, mimi::kReadable, [](std::uint32_t) {}).code() ==
        absl::StatusCode::kInvalidArgument);
  close(file);
  loop->UnwatchFd(12345);  // never watched: harmless
}

TEST_CASE(
    "loop: tasks run in order, not inside Post, and one that posts waits for the next round") {
  const auto loop = NewLoopUnderTest();
  std::vector<int> order;
  loop->Post([&] {
    order.push_back(1);
    loop->Post([&] { order.push_back(3); });
  });
  loop->Post([&] { order.push_back(2); });
  CHECK(order.empty());
  CHECK(loop->RunOnce());
  CHECK(order == std::vector<int>{1, 2});
  REQUIRE(RunUntil(*loop, [&] { return order.size() == 3; }));
  CHECK(order == std::vector<int>{1, 2, 3});
  CHECK_FALSE(loop->RunOnce());
}

TEST_CASE("loop: posts of many threads all arrive, those of each in order") {
  const auto loop = NewLoopUnderTest();
  constexpr int kThreads = 4;
  constexpr int kEach = 20'000;
  std::array<int, kThreads> seen{};
  int wrong = 0;
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        loop->Post([&, t, i] { wrong += seen[t]++ != i ? 1 : 0; });
      }
    });
  }
  const bool all = RunUntil(*loop, [&] {
    int sum = 0;
    for (const int n : seen) {
      sum += n;
    }
    return sum == kThreads * kEach;
  });
  for (std::thread& thread : threads) {
    thread.join();
  }
  CHECK(all);
  CHECK(wrong == 0);
}

TEST_CASE("loop: Run returns at Stop from another thread, and runs again afterwards") {
  const auto loop = NewLoopUnderTest();
  for (int round = 0; round < 3; ++round) {
    bool ran = false;
    loop->Post([&] { ran = true; });
    std::thread other;
    loop->At(loop->now() + 100us, [&] { other = std::thread([&] { loop->Stop(); }); });
    loop->Run();
    REQUIRE(other.joinable());
    other.join();
    CHECK(ran);
  }
}

TEST_CASE("loop: Stop before Run lets Run return at once") {
  const auto loop = NewLoopUnderTest();
  loop->Stop();
  loop->Run();
  bool ran = false;
  loop->Post([&] {
    ran = true;
    loop->Stop();
  });
  loop->Run();
  CHECK(ran);
}

TEST_CASE("loop: a loop that ends drops what waits, uncalled") {
  bool called = false;
  auto kept = std::make_shared<int>(1);
  const SocketPair pair;
  {
    const auto loop = NewLoopUnderTest();
    loop->Post([&called, kept] { called = true; });
    loop->At(loop->now(), [&called, kept] { called = true; });
    REQUIRE(loop->WatchFd(pair.near(), mimi::kWritable,
                          [&called, kept](std::uint32_t) { called = true; })
                .ok());
    CHECK(kept.use_count() == 4);
  }
  CHECK_FALSE(called);
  CHECK(kept.use_count() == 1);
}

}  // namespace
