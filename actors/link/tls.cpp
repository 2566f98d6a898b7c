// SPDX-License-Identifier: Apache-2.0
#include "actors/link/tls.hpp"

#include <cerrno>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "actors/ids.hpp"

namespace forkfleet {

namespace {

using context = asio::ssl::context;

constexpr std::string_view node_prefix = "node:";
constexpr std::string_view client_prefix = "client:";
constexpr std::size_t client_name_max = 63;

tl::unexpected<failure> bad_file(const std::string& path, const error_code& x) {
  return fail(ec::invalid_request, path + ": " + x.message()
                                     + " (TLS files are made by "
                                       "`forkfleet pki`)");
}

// OpenSSL does not say why it cannot read a file.
status check_readable(const tls_material& files) {
  for (const auto& path : {files.authority, files.certificate, files.key})
    if (::access(path.c_str(), R_OK) != 0)
      return tl::unexpected(errno_failure(errno, path, ec::invalid_request));
  return {};
}

expected<tls_context> make_context(const tls_material& files,
                                   context::method method) {
  if (auto fine = check_readable(files); !fine)
    return tl::unexpected(fine.error());
  auto made = std::make_shared<context>(method);
  auto* native = made->native_handle();
  SSL_CTX_set_min_proto_version(native, TLS1_3_VERSION);
  // A connection lasts; resuming one is not worth keeping secrets for.
  SSL_CTX_set_num_tickets(native, 0);
  SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
  auto error = error_code{};
  made->set_verify_mode(
    asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert, error);
  if (!error && made->load_verify_file(files.authority, error))
    return bad_file(files.authority, error);
  if (made->use_certificate_chain_file(files.certificate, error))
    return bad_file(files.certificate, error);
  if (made->use_private_key_file(files.key, context::pem, error))
    return bad_file(files.key, error);
  if (SSL_CTX_check_private_key(native) != 1) {
    ERR_clear_error();
    return fail(ec::invalid_request,
                files.key + ": is not the key of " + files.certificate);
  }
  return made;
}

} // namespace

expected<tls_context> make_server_context(const tls_material& files) {
  return make_context(files, context::tls_server);
}

expected<tls_context> make_client_context(const tls_material& files) {
  return make_context(files, context::tls_client);
}

status require_host(SSL* connection, const std::string& host) {
  auto* wanted = SSL_get0_param(connection);
  auto error = error_code{};
  asio::ip::make_address(host, error);
  if (!error && X509_VERIFY_PARAM_set1_ip_asc(wanted, host.c_str()) == 1)
    return {};
  X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (error && X509_VERIFY_PARAM_set1_host(wanted, host.c_str(), 0) == 1
      && SSL_set_tlsext_host_name(connection, host.c_str()) == 1)
    return {};
  ERR_clear_error();
  return fail(ec::invalid_request, host + ": is no host name");
}

std::string identity_of(SSL* connection) {
  auto* certificate = SSL_get1_peer_certificate(connection);
  if (certificate == nullptr)
    return {};
  char name[256] = {};
  const auto size = X509_NAME_get_text_by_NID(
    X509_get_subject_name(certificate), NID_commonName, name, sizeof name);
  X509_free(certificate);
  // A name with a zero byte inside would read as its beginning.
  const auto text = std::string{name};
  return size == static_cast<int>(text.size()) ? text : std::string{};
}

expected<peer_role> role_of(std::string_view identity) {
  if (identity == "coordinator")
    return peer_role::coordinator;
  if (identity.starts_with(node_prefix)
      && is_safe_name(identity.substr(node_prefix.size()),
                      host_name_tag::length_max))
    return peer_role::node;
  if (identity.starts_with(client_prefix)
      && is_safe_name(identity.substr(client_prefix.size()), client_name_max))
    return peer_role::client;
  return fail(ec::not_permitted,
              "a certificate named \"" + std::string{identity}
                + "\" is none of ours; it must be coordinator, node:<host> "
                  "or client:<name>");
}

bool is_tls_refusal(const error_code& x) {
  return x.category() == asio::error::get_ssl_category();
}

std::string handshake_problem(SSL* connection, const error_code& x) {
  const auto verified = SSL_get_verify_result(connection);
  return verified == X509_V_OK ? x.message()
                               : X509_verify_cert_error_string(verified);
}

} // namespace forkfleet
