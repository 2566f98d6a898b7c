// SPDX-License-Identifier: Apache-2.0
#include "actors/link/tls.hpp"

#include <cerrno>
#include <memory>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "actors/ids.hpp"
#include "actors/pki.hpp"

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

// Why we refused a peer, kept with its connection until it is told.
void free_refusal(void*, void* text, CRYPTO_EX_DATA*, int, long, void*) {
  const auto owned =
    std::unique_ptr<std::string>{static_cast<std::string*>(text)};
}

int refusal_index() {
  static const int index =
    SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, free_refusal);
  return index;
}

void note_refusal(SSL* connection, std::string why) {
  const auto earlier = std::unique_ptr<std::string>{
    static_cast<std::string*>(SSL_get_ex_data(connection, refusal_index()))};
  SSL_set_ex_data(connection, refusal_index(),
                  std::make_unique<std::string>(std::move(why)).release());
}

// Of a peer's own certificate, when its chain is in order. OpenSSL tells the
// peer what its error number means.
bool admits(asio::ssl::verify_context& x, const access_list& denied) {
  auto* store = x.native_handle();
  if (X509_STORE_CTX_get_error_depth(store) != 0)
    return true;
  auto* connection = static_cast<SSL*>(
    X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  const auto facts = facts_of(X509_STORE_CTX_get_current_cert(store));
  if (const auto role = role_of(facts.subject.name); !role) {
    X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
    note_refusal(connection, role.error().message);
    return false;
  }
  if (!denied.is_denied(facts.subject))
    return true;
  X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REVOKED);
  note_refusal(connection, text_of(facts.subject) + " is denied access");
  return false;
}

// OpenSSL does not say why it cannot read a file.
status check_files(const tls_material& files) {
  for (const auto& path : {files.authority, files.certificate, files.key})
    if (::access(path.c_str(), R_OK) != 0)
      return tl::unexpected(errno_failure(errno, path, ec::invalid_request));
  return pki::check_key_file(files.key);
}

expected<tls_context> make_context(const tls_material& files,
                                   context::method method) {
  if (auto fine = check_files(files); !fine)
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

expected<tls_context> make_server_context(const tls_material& files,
                                          const access_list& denied) {
  auto made = make_context(files, context::tls_server);
  auto error = error_code{};
  if (made)
    (*made)->set_verify_callback(
      [&denied](bool is_sound, asio::ssl::verify_context& x) {
        return is_sound && admits(x, denied);
      },
      error);
  return made;
}

expected<tls_context> make_client_context(const tls_material& files) {
  auto made = make_context(files, context::tls_client);
  if (!made)
    return made;
  // Who is refused for it may see the connection end before he hears why.
  const auto own = facts_of(SSL_CTX_get0_certificate((*made)->native_handle()));
  if (own.until <= std::chrono::system_clock::now())
    return fail(ec::not_permitted,
                files.certificate
                  + ": the certificate has expired; issue another by "
                    "forkfleet pki issue");
  return made;
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

certificate_facts facts_of(const SSL* connection) {
  auto* certificate = SSL_get1_peer_certificate(connection);
  if (certificate == nullptr)
    return {};
  auto facts = facts_of(certificate);
  X509_free(certificate);
  return facts;
}

std::string identity_of(const SSL* connection) {
  return facts_of(connection).subject.name;
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
  if (const auto* why = static_cast<const std::string*>(
        SSL_get_ex_data(connection, refusal_index())))
    return *why;
  const auto verified = SSL_get_verify_result(connection);
  if (verified != X509_V_OK)
    return X509_verify_cert_error_string(verified);
  const auto why = link_problem(x);
  // These alerts answer for our certificate, the name in it most of all.
  const auto reason = ERR_GET_REASON(static_cast<unsigned long>(x.value()));
  if (x.category() == asio::error::get_ssl_category()
      && reason == SSL_R_SSLV3_ALERT_BAD_CERTIFICATE)
    return why
           + " (the other side does not take our certificate; it must "
             "name the address that was dialled)";
  return why;
}

std::string link_problem(const error_code& x) {
  if (x == asio::ssl::error::stream_truncated || x == asio::error::eof)
    return "the other side closed the connection";
  return x.message();
}

} // namespace forkfleet
