// A VNF's view of the installed library: the core's loop and the one on libuv side by side.
#include <mimi/builtin/uv_loop.h>
#include <mimi/loop.h>

#include <cstdio>

namespace {

int PostOnce(absl::StatusOr<std::unique_ptr<mimi::Loop>> loop, const char* name) {
  if (!loop.ok()) {
    std::printf("%s: %s\n", name, loop.status().ToString().c_str());
    return 0;
  }
  int calls = 0;
  (*loop)->Post([&] {
    ++calls;
    (*loop)->Stop();
  });
  (*loop)->Run();
  std::printf("%s: posted task ran %d time(s)\n", name, calls);
  return calls;
}

}  // namespace

int main() {
  const int calls = PostOnce(mimi::NewEpollLoop(), "epoll") + PostOnce(mimi::NewUvLoop(), "uv");
  return calls == 2 ? 0 : 1;
}
