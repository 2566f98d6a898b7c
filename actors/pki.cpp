// SPDX-License-Identifier: Apache-2.0
#include "actors/pki.hpp"

#include <cerrno>
#include <memory>
#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "actors/certificate.hpp"
#include "actors/pki_files.hpp"
#include "actors/signing_key.hpp"

namespace forkfleet::pki {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t client_name_max = 63;
constexpr std::size_t hosts_max = 64;
// Clocks of hosts differ a little.
constexpr long backdated_seconds = 3600;

status refuse_existing(const fs::path& path) {
  auto error = std::error_code{};
  if (!fs::exists(fs::symlink_status(path, error)))
    return {};
  return fail(ec::invalid_request, path.string() + ": is there already");
}

bool add_extension(X509* certificate, X509* issuer, int what,
                   const std::string& value) {
  auto context = X509V3_CTX{};
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  auto* made = X509V3_EXT_conf_nid(nullptr, &context, what, value.c_str());
  if (made == nullptr)
    return false;
  const auto is_added = X509_add_ext(certificate, made, -1) == 1;
  X509_EXTENSION_free(made);
  return is_added;
}

bool add_name(X509* certificate, const char* kind, const std::string& name) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(name.c_str());
  return X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), kind,
                                    MBSTRING_UTF8, bytes, -1, -1, 0)
         == 1;
}

bool set_serial(X509* certificate) {
  unsigned char bytes[16] = {};
  if (RAND_bytes(bytes, sizeof bytes) != 1)
    return false;
  bytes[0] &= 0x7F;
  const auto number = std::unique_ptr<BIGNUM, freed_by<BN_free>>{
    BN_bin2bn(bytes, sizeof bytes, nullptr)};
  return number
         && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate))
              != nullptr;
}

// A certificate without extensions and signature.
cert_ptr draft(const std::string& name, EVP_PKEY* key, days validity) {
  auto made = cert_ptr{X509_new()};
  auto* x = made.get();
  if (!made || X509_set_version(x, X509_VERSION_3) != 1 || !set_serial(x)
      || X509_gmtime_adj(X509_getm_notBefore(x), -backdated_seconds) == nullptr
      || X509_time_adj_ex(X509_getm_notAfter(x), validity.count(), 0, nullptr)
           == nullptr
      || !add_name(x, "CN", name) || X509_set_pubkey(x, key) != 1)
    return nullptr;
  return made;
}

std::string common_name(const X509_NAME* name) {
  char text[256] = {};
  X509_NAME_get_text_by_NID(name, NID_commonName, text, sizeof text);
  return text;
}

// Signs what `draft` made; `extensions` are its kind and its text.
using extensions = std::vector<std::pair<int, std::string>>;

bool finish(X509* x, X509* issuer, EVP_PKEY* issuer_key,
            const extensions& more) {
  if (X509_set_issuer_name(x, X509_get_subject_name(issuer)) != 1)
    return false;
  for (const auto& [what, value] : more)
    if (!add_extension(x, issuer, what, value))
      return false;
  return X509_sign(x, issuer_key, EVP_sha256()) > 0;
}

expected<std::string> alternative_names(const std::vector<std::string>& hosts) {
  auto list = std::string{};
  for (const auto& host : hosts) {
    const auto address =
      std::unique_ptr<ASN1_OCTET_STRING, freed_by<ASN1_OCTET_STRING_free>>{
        a2i_IPADDRESS(host.c_str())};
    const auto is_name =
      !host.empty() && host.size() <= 253
      && host.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ"
                                "RSTUVWXYZ0123456789-.")
           == host.npos;
    if (!address && !is_name)
      return fail(ec::invalid_request,
                  host + ": is neither a host name nor an address");
    list += list.empty() ? "" : ",";
    list += (address ? "IP:" : "DNS:") + host;
  }
  ERR_clear_error();
  return list;
}

struct leaf_plan {
  std::string identity;
  std::string base;
  extensions more;
  /// The role of a client.
  std::string unit = {};
};

expected<leaf_plan> plan_for_coordinator(const issue_request& what) {
  if (what.hosts.empty() || what.hosts.size() > hosts_max)
    return fail(ec::invalid_request,
                "a coordinator's certificate needs 1 to "
                  + std::to_string(hosts_max)
                  + " names or addresses, as nodes and clients dial it");
  const auto names = alternative_names(what.hosts);
  if (!names)
    return tl::unexpected(names.error());
  return leaf_plan{
    "coordinator",
    "coordinator",
    {{NID_ext_key_usage, "serverAuth"}, {NID_subject_alt_name, *names}}};
}

expected<leaf_plan> plan_for(const issue_request& what) {
  if (what.what == role::coordinator)
    return plan_for_coordinator(what);
  const auto is_node = what.what == role::node;
  if (!is_node && what.access == access_role::none)
    return fail(ec::invalid_request, "a client needs a role");
  const auto length_max = is_node ? host_name_tag::length_max : client_name_max;
  if (!is_safe_name(what.name, length_max))
    return fail(ec::invalid_request, what.name + ": is no name of a "
                                       + (is_node ? "host" : "client")
                                       + " (letters, digits, '-' and '_')");
  const auto kind = std::string{is_node ? "node" : "client"};
  return leaf_plan{kind + ':' + what.name,
                   kind + '-' + what.name,
                   {{NID_ext_key_usage, "clientAuth"}},
                   is_node ? "" : std::string{schema::name_of(what.access)}};
}

// The key first: a certificate whose key is missing is worth nothing.
status write_pair(const fs::path& base, const EVP_PKEY* key, X509* made) {
  const auto key_text = pem_of(key);
  const auto text = pem_of(made);
  if (!key_text || !text)
    return tl::unexpected(key_text ? text.error() : key_text.error());
  if (auto kept = write_new(base.string() + ".key", *key_text, 0600); !kept)
    return kept;
  return write_new(base.string() + ".crt", *text, 0644);
}

expected<tls_material> write_leaf(const fs::path& into, const std::string& base,
                                  const EVP_PKEY* key, X509* made,
                                  X509* issuer) {
  const auto stem = into / base;
  for (const auto* end : {".key", ".crt"})
    if (auto free = refuse_existing(stem.string() + end); !free)
      return tl::unexpected(free.error());
  if (auto there = make_directory(into); !there)
    return tl::unexpected(there.error());
  if (auto kept = write_pair(stem, key, made); !kept)
    return tl::unexpected(kept.error());
  auto error = std::error_code{};
  const auto authority = into / "ca.crt";
  if (!fs::exists(authority, error)) {
    const auto text = pem_of(issuer);
    if (!text)
      return tl::unexpected(text.error());
    if (auto kept = write_new(authority, *text, 0644); !kept)
      return tl::unexpected(kept.error());
  }
  return tls_material{authority, stem.string() + ".crt",
                      stem.string() + ".key"};
}

bool is_within(const X509* x) {
  return X509_cmp_current_time(X509_get0_notBefore(x)) < 0
         && X509_cmp_current_time(X509_get0_notAfter(x)) > 0;
}

certificate_info info_of(X509* x) {
  auto result =
    certificate_info{.identity = common_name(X509_get_subject_name(x)),
                     .issuer = common_name(X509_get_issuer_name(x))};
  auto whole_days = 0;
  auto rest = 0;
  if (ASN1_TIME_diff(&whole_days, &rest, nullptr, X509_get0_notAfter(x)) == 1)
    result.left = days{whole_days} + std::chrono::seconds{rest};
  const auto uses = X509_get_extended_key_usage(x);
  result.serves = (uses & XKU_SSL_SERVER) != 0;
  result.dials = (uses & XKU_SSL_CLIENT) != 0;
  const auto facts = facts_of(x);
  result.serial = facts.subject.serial;
  result.access = facts.subject.role;
  return result;
}

status check_validity(const X509* x, const std::string& path) {
  if (is_within(x))
    return {};
  return fail(ec::invalid_request,
              path
                + ": has expired or is not valid yet; issue a new one "
                  "with `forkfleet pki issue`");
}

} // namespace

/// A node vouches for what it seals with the fleet's key.
static status pass_signing_key(const fs::path& authority,
                               const fs::path& into) {
  const auto key = signing_key::load_or_make(authority / signing_key_file);
  if (!key)
    return tl::unexpected(key.error());
  const auto text = (*key)->pem();
  if (!text)
    return tl::unexpected(text.error());
  const auto path = into / signing_key_file;
  auto error = std::error_code{};
  if (!fs::exists(path, error))
    return write_new(path, *text, 0600);
  const auto there = signing_key::load(path);
  if (!there)
    return tl::unexpected(there.error());
  if ((*there)->public_key() != (*key)->public_key())
    return fail(ec::invalid_request,
                path.string() + ": is another fleet's signing key");
  return {};
}

status init(const fs::path& directory, days validity) {
  for (const auto* name : {"ca.key", "ca.crt"})
    if (auto free = refuse_existing(directory / name); !free)
      return free;
  if (auto made = make_directory(directory); !made)
    return made;
  const auto key = key_ptr{EVP_EC_gen("P-256")};
  const auto made =
    key ? draft("forkfleet authority", key.get(), validity) : nullptr;
  if (!made
      || !finish(made.get(), made.get(), key.get(),
                 {{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
                  {NID_key_usage, "critical,keyCertSign,cRLSign"},
                  {NID_subject_key_identifier, "hash"}}))
    return openssl_failure("make an authority");
  if (auto pair = write_pair(directory / "ca", key.get(), made.get()); !pair)
    return pair;
  return signing_key::load_or_make(directory / signing_key_file)
    .map([](const signing_key_ptr&) {});
}

expected<tls_material> issue(const fs::path& authority,
                             const issue_request& what, const fs::path& into) {
  auto plan = plan_for(what);
  if (!plan)
    return tl::unexpected(plan.error());
  auto issuer = read_certificate(authority / "ca.crt");
  if (!issuer)
    return tl::unexpected(issuer.error());
  auto issuer_key = read_key(authority / "ca.key");
  if (!issuer_key)
    return tl::unexpected(issuer_key.error());
  const auto key = key_ptr{EVP_EC_gen("P-256")};
  const auto made =
    key ? draft(plan->identity, key.get(), what.validity) : nullptr;
  plan->more.insert(plan->more.end(),
                    {{NID_basic_constraints, "critical,CA:FALSE"},
                     {NID_key_usage, "critical,digitalSignature"},
                     {NID_subject_key_identifier, "hash"},
                     {NID_authority_key_identifier, "keyid:always"}});
  const auto is_named =
    made && (plan->unit.empty() || add_name(made.get(), "OU", plan->unit));
  if (!is_named
      || !finish(made.get(), issuer->get(), issuer_key->get(), plan->more))
    return openssl_failure("make a certificate for " + plan->identity);
  auto files =
    write_leaf(into, plan->base, key.get(), made.get(), issuer->get());
  if (files && what.what == role::node)
    if (auto passed = pass_signing_key(authority, into); !passed)
      return tl::unexpected(passed.error());
  return files;
}

status check_key_file(const std::string& path) {
  struct stat file = {};
  if (::stat(path.c_str(), &file) != 0)
    return tl::unexpected(errno_failure(errno, path, ec::invalid_request));
  if ((file.st_mode & 077) == 0)
    return {};
  return fail(ec::invalid_request,
              path
                + ": others than its owner can reach this key; "
                  "`chmod 600` it");
}

expected<certificate_info> inspect(const fs::path& certificate) {
  return read_certificate(certificate).map([](const cert_ptr& x) {
    return info_of(x.get());
  });
}

expected<certificate_info> check(const tls_material& files) {
  const auto authority = read_certificate(files.authority);
  if (!authority)
    return tl::unexpected(authority.error());
  const auto leaf = read_certificate(files.certificate);
  if (!leaf)
    return tl::unexpected(leaf.error());
  const auto key = read_key(files.key);
  if (!key)
    return tl::unexpected(key.error());
  for (const auto& problem : {check_key_file(files.key),
                              check_validity(authority->get(), files.authority),
                              check_validity(leaf->get(), files.certificate)})
    if (!problem)
      return tl::unexpected(problem.error());
  if (X509_check_private_key(leaf->get(), key->get()) != 1)
    return ERR_clear_error(),
           fail(ec::invalid_request,
                files.key + ": is not the key of " + files.certificate);
  if (X509_verify(leaf->get(), X509_get0_pubkey(authority->get())) != 1)
    return ERR_clear_error(),
           fail(ec::invalid_request,
                files.certificate + ": was not issued by " + files.authority);
  return info_of(leaf->get());
}

} // namespace forkfleet::pki
