#include "tests/support/net_namespace.h"

#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>
#include <string>

#include <doctest/doctest.h>

namespace mimi::testing {
namespace {

TEST_CASE("net namespace: two of them talk over a veth pair, and the caller stays where it was") {
  const std::string devices = NetNamespace().Run("ip -o link | wc -l");
  CHECK(devices.find('1') == 0);
  NetNamespace a;
  NetNamespace b;
  Connect(a, "a0", b, "b0");
  a.Run("ip addr add 192.0.2.1/30 dev a0");
  b.Run("ip addr add 192.0.2.2/30 dev b0");
  Process server = b.Spawn({"python3", "-c",
                            "import socket\n"
                            "s = socket.create_server(('192.0.2.2', 7))\n"
                            "c, _ = s.accept()\n"
                            "c.sendall(b'hello')\n"});
  const std::string heard = a.Run(
      "python3 -c \"import socket, time\n"
      "for i in range(100):\n"
      "  try: s = socket.create_connection(('192.0.2.2', 7)); break\n"
      "  except ConnectionRefusedError: time.sleep(0.05)\n"
      "print(s.recv(5).decode())\"");
  CHECK(heard == "hello\n");
  CHECK(server.Wait() == 0);
  a.Sysctl("net/ipv4/ip_forward", "1");
  CHECK(a.Sysctl("net/ipv4/ip_forward") == "1");
  CHECK(b.Sysctl("net/ipv4/ip_forward") == "0");
  CHECK_THROWS_AS(a.Run("echo no such luck; false"), std::runtime_error);
  CHECK_THROWS_AS(a.Nft("no such word"), std::runtime_error);
  CHECK(a.Run("cat", "in and out") == "in and out");
}

TEST_CASE("net namespace: the calling thread is somewhere else while inside, and back after it") {
  const NetNamespace space;
  const std::string before = space.Inside([] {
    char path[64] = {};
    return std::string(
        path, static_cast<std::size_t>(readlink("/proc/thread-self/ns/net", path, sizeof path)));
  });
  char path[64] = {};
  const ssize_t size = readlink("/proc/thread-self/ns/net", path, sizeof path);
  CHECK(before != std::string(path, static_cast<std::size_t>(size)));
}

}  // namespace
}  // namespace mimi::testing
