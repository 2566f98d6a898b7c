// SPDX-License-Identifier: Apache-2.0
#include "tests/support/pki_fixture.hpp"

#include <cstdlib>

#include <catch2/catch.hpp>

#include "actors/pki_files.hpp"

namespace forkfleet::test {

authority::authority() {
  auto name =
    (std::filesystem::temp_directory_path() / "forkfleet-pki-XXXXXX").string();
  REQUIRE(::mkdtemp(name.data()) != nullptr);
  path_ = name;
  REQUIRE(pki::init(path_));
}

authority::~authority() {
  auto ignored = std::error_code{};
  std::filesystem::remove_all(path_, ignored);
}

tls_material authority::coordinator(const std::vector<std::string>& hosts,
                                    pki::days left) {
  return issue(
    {.what = pki::role::coordinator, .hosts = hosts, .validity = left});
}

tls_material authority::node(const std::string& host, pki::days left) {
  return issue({.what = pki::role::node, .name = host, .validity = left});
}

tls_material authority::client(const std::string& name, access_role access) {
  return issue({.what = pki::role::client, .name = name, .access = access});
}

tls_material authority::foreign_name(const std::string& name) {
  return sign_again(client("x"), [&](X509* x) {
    auto* whole = X509_get_subject_name(x);
    while (X509_NAME_entry_count(whole) > 0)
      X509_NAME_ENTRY_free(X509_NAME_delete_entry(whole, 0));
    X509_NAME_add_entry_by_txt(
      whole, "CN", MBSTRING_UTF8,
      reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  });
}

tls_material authority::expiring_client(const std::string& name,
                                        std::chrono::seconds left) {
  return sign_again(client(name), [&](X509* x) {
    X509_gmtime_adj(X509_getm_notAfter(x), left.count());
  });
}

tls_material
authority::sign_again(tls_material files,
                      const std::function<void(X509*)>& change) const {
  auto made = pki::read_certificate(files.certificate);
  const auto key = pki::read_key(path_ / "ca.key");
  REQUIRE(made);
  REQUIRE(key);
  change(made->get());
  REQUIRE(X509_sign(made->get(), key->get(), EVP_sha256()) > 0);
  std::filesystem::remove(files.certificate);
  REQUIRE(pki::write_new(files.certificate, *pki::pem_of(made->get()), 0644));
  return files;
}

tls_material authority::issue(pki::issue_request what) {
  const auto into = path_ / std::to_string(++issued_);
  const auto files = pki::issue(path_, what, into);
  REQUIRE(files);
  return *files;
}

} // namespace forkfleet::test
