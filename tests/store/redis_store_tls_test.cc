// rediss://: the server must be who it says it is, by an authority of our own. Also redis:// by TCP
// and by a name.
#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstdlib>
#include <string>

#include "tests/store/redis_store_under_test.h"

namespace mimi {
namespace {

// A port that is free at this moment.
std::uint16_t FreePort() {
  const UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  REQUIRE(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0);
  REQUIRE(getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  return ntohs(address.sin_port);
}

// An authority, and a certificate of it for localhost, in files.
struct Certificates {
  Certificates() {
    const std::string dir = directory.Join("");
    const std::string quiet = " >/dev/null 2>&1";
    const std::string key = "openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes ";
    Run(key + "-x509 -days 2 -subj /CN=test-authority -keyout " + dir + "ca.key -out " + dir +
        "ca.pem" + quiet);
    Run(key + "-subj /CN=redis -keyout " + dir + "server.key -out " + dir + "server.csr" + quiet);
    Run("printf 'subjectAltName=DNS:localhost,IP:127.0.0.1' >" + dir + "names");
    Run("openssl x509 -req -days 2 -in " + dir + "server.csr -CA " + dir + "ca.pem -CAkey " + dir +
        "ca.key -CAcreateserial -extfile " + dir + "names -out " + dir + "server.pem" + quiet);
  }
  static void Run(const std::string& command) { REQUIRE(std::system(command.c_str()) == 0); }
  std::string path(const std::string& name) const { return directory.Join(name); }
  TemporaryDirectory directory;
};

RedisStoreOptions OptionsOf(const std::string& url) {
  RedisStoreOptions options = *RedisStoreOptionsFromUrl(url);
  options.retry_min = std::chrono::milliseconds(5);
  options.retry_max = std::chrono::milliseconds(50);
  return options;
}

void CheckWorks(const RedisStoreOptions& options) {
  RedisBench bench(options);
  const StateSchema schema = contract::WordSchema(1);
  contract::Node node(bench, schema, "node");
  contract::Writer writer(schema, node.origin, node.claim.term);
  for (contract::Word id = 0; id < 2000; ++id) {  // more than one TLS record
    writer.Put({id, id});
  }
  REQUIRE(bench.Apply(*node.store, writer.Seal()).ok());
  const auto reader = bench.Handle();
  REQUIRE(bench.Open(*reader, schema).ok());
  CHECK(contract::LoadedRows(bench, *reader, schema).size() == 2000);
}

std::string TroubleWith(const RedisStoreOptions& options) {
  RedisBench bench(options);
  const auto store = bench.Handle();
  return bench.UntilUnavailable(*store, ": ");
}

TEST_CASE("redis store: rediss:// works with a certificate that is right, and with no other") {
  const Certificates certificates;
  const std::string port = std::to_string(FreePort());
  const RedisServer server({"--tls-port", port, "--tls-cert-file", certificates.path("server.pem"),
                            "--tls-key-file", certificates.path("server.key"), "--tls-ca-cert-file",
                            certificates.path("ca.pem"), "--tls-auth-clients", "no"});
  const std::string ca = "?ca=" + certificates.path("ca.pem");
  CheckWorks(OptionsOf("rediss://localhost:" + port + "/0" + ca));
  CheckWorks(OptionsOf("rediss://127.0.0.1:" + port + "/1" + ca));

  const std::string unknown = TroubleWith(OptionsOf("rediss://localhost:" + port));
  CHECK_MESSAGE(unknown.find("certificate is refused") != std::string::npos, unknown);
  const std::string other = TroubleWith(OptionsOf("rediss://localhost:" + port + ca + "&name=x.y"));
  CHECK_MESSAGE(other.find("mismatch") != std::string::npos, other);
  const std::string none = TroubleWith(OptionsOf("rediss://localhost:" + port + "?ca=/nowhere"));
  CHECK_MESSAGE(none.find("/nowhere") != std::string::npos, none);
}

TEST_CASE("redis store: redis:// works by name and by address") {
  const std::string port = std::to_string(FreePort());
  const RedisServer server({"--port", port, "--bind", "127.0.0.1"});
  CheckWorks(OptionsOf("redis://localhost:" + port + "/0"));
  CheckWorks(OptionsOf("redis://127.0.0.1:" + port + "/1"));
  const std::string nobody = TroubleWith(OptionsOf("redis://127.0.0.1:1"));
  CHECK_MESSAGE(nobody.find("refused") != std::string::npos, nobody);
}

}  // namespace
}  // namespace mimi
