#include "src/io/tls_session.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <utility>

#include "src/base/status.h"

namespace mimi::internal {
namespace {

struct Free {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};

std::string LastError() {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_peek_last_error(), text.data(), text.size());
  ERR_clear_error();
  return text.data();
}

absl::Status BadFile(std::string_view what, const std::string& file) {
  return Error(absl::StatusCode::kInvalidArgument, "TLS: {} {}: {}", what, file, LastError());
}

bool IsAddress(const std::string& name) {
  std::array<unsigned char, 16> bytes{};
  return inet_pton(AF_INET, name.c_str(), bytes.data()) == 1 ||
         inet_pton(AF_INET6, name.c_str(), bytes.data()) == 1;
}

class OpenSslSession final : public TlsSession {
 public:
  OpenSslSession(std::unique_ptr<SSL_CTX, Free> context, std::unique_ptr<SSL, Free> ssl, BIO* in,
                 BIO* out)
      : context_(std::move(context)), ssl_(std::move(ssl)), in_(in), out_(out) {}

  absl::Status Receive(std::string_view bytes, std::string* plain) override {
    while (!bytes.empty()) {
      const int taken = BIO_write(in_, bytes.data(), static_cast<int>(bytes.size()));
      if (taken <= 0) {
        return Error(absl::StatusCode::kUnavailable, "TLS: {}", LastError());
      }
      bytes.remove_prefix(static_cast<std::size_t>(taken));
    }
    if (absl::Status status = Handshake(); !status.ok() || !established()) {
      return status;
    }
    std::array<char, 16384> block;
    for (;;) {
      const int got = SSL_read(ssl_.get(), block.data(), static_cast<int>(block.size()));
      if (got > 0) {
        plain->append(block.data(), static_cast<std::size_t>(got));
        continue;
      }
      return Explain(got);
    }
  }

  absl::Status Send(std::string_view plain) override {
    if (!established()) {
      waiting_.append(plain);
      return Handshake();
    }
    if (plain.empty()) {
      return absl::OkStatus();
    }
    const int put = SSL_write(ssl_.get(), plain.data(), static_cast<int>(plain.size()));
    return put > 0 ? absl::OkStatus() : Explain(put);  // a memory BIO takes everything
  }

  void Take(std::string* bytes) override {
    char* data = nullptr;
    const long size = BIO_get_mem_data(out_, &data);
    if (size > 0) {
      bytes->append(data, static_cast<std::size_t>(size));
      (void)BIO_reset(out_);
    }
  }

  bool established() const override { return SSL_is_init_finished(ssl_.get()) == 1; }

 private:
  absl::Status Handshake() {
    if (established()) {
      return absl::OkStatus();
    }
    ERR_clear_error();
    const int done = SSL_do_handshake(ssl_.get());
    if (done != 1) {
      return Explain(done);
    }
    return Send(std::exchange(waiting_, {}));
  }

  absl::Status Explain(int result) {
    switch (SSL_get_error(ssl_.get(), result)) {
      case SSL_ERROR_WANT_READ:
      case SSL_ERROR_WANT_WRITE:
        return absl::OkStatus();
      case SSL_ERROR_ZERO_RETURN:
        return Error(absl::StatusCode::kUnavailable, "TLS: closed by the server");
      default:
        break;
    }
    if (const long verified = SSL_get_verify_result(ssl_.get()); verified != X509_V_OK) {
      ERR_clear_error();
      return Error(absl::StatusCode::kUnavailable, "TLS: the server's certificate is refused: {}",
                   X509_verify_cert_error_string(verified));
    }
    return Error(absl::StatusCode::kUnavailable, "TLS: {}", LastError());
  }

  std::unique_ptr<SSL_CTX, Free> context_;
  std::unique_ptr<SSL, Free> ssl_;
  BIO* in_;  // both are ssl_'s
  BIO* out_;
  std::string waiting_;
};

absl::Status LoadFiles(SSL_CTX* context, const TlsOptions& options) {
  const bool roots = options.ca_file.empty() ? SSL_CTX_set_default_verify_paths(context) == 1
                                             : SSL_CTX_load_verify_locations(
                                                   context, options.ca_file.c_str(), nullptr) == 1;
  if (!roots) {
    return BadFile("certificate authority", options.ca_file);
  }
  if (options.cert_file.empty()) {
    return absl::OkStatus();
  }
  if (SSL_CTX_use_certificate_chain_file(context, options.cert_file.c_str()) != 1) {
    return BadFile("certificate", options.cert_file);
  }
  const std::string& key = options.key_file.empty() ? options.cert_file : options.key_file;
  if (SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return BadFile("private key", key);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<TlsSession>> TlsSession::New(const TlsOptions& options) {
  std::unique_ptr<SSL_CTX, Free> context(SSL_CTX_new(TLS_client_method()));
  if (context == nullptr) {
    return Error(absl::StatusCode::kUnavailable, "TLS: {}", LastError());
  }
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  if (absl::Status status = LoadFiles(context.get(), options); !status.ok()) {
    return status;
  }
  std::unique_ptr<SSL, Free> ssl(SSL_new(context.get()));
  BIO* const in = BIO_new(BIO_s_mem());
  BIO* const out = BIO_new(BIO_s_mem());
  if (ssl == nullptr || in == nullptr || out == nullptr) {
    BIO_free(in);
    BIO_free(out);
    return Error(absl::StatusCode::kUnavailable, "TLS: {}", LastError());
  }
  SSL_set_bio(ssl.get(), in, out);
  SSL_set_connect_state(ssl.get());
  const bool named =
      IsAddress(options.name)
          ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), options.name.c_str()) == 1
          // The macro casts as C does, so it is spelt out here.
          : SSL_set1_host(ssl.get(), options.name.c_str()) == 1 &&
                SSL_ctrl(ssl.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                         const_cast<char*>(options.name.c_str())) == 1;
  if (options.name.empty() || !named) {
    return Error(absl::StatusCode::kInvalidArgument, "TLS: \"{}\" is no name of a server",
                 options.name);
  }
  return std::make_unique<OpenSslSession>(std::move(context), std::move(ssl), in, out);
}

}  // namespace mimi::internal
