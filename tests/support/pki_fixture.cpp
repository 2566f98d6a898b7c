// SPDX-License-Identifier: Apache-2.0
#include "tests/support/pki_fixture.hpp"

#include <cstdlib>

#include <catch2/catch.hpp>

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

tls_material authority::client(const std::string& name) {
  return issue({.what = pki::role::client, .name = name});
}

tls_material authority::issue(pki::issue_request what) {
  const auto into = path_ / std::to_string(++issued_);
  const auto files = pki::issue(path_, what, into);
  REQUIRE(files);
  return *files;
}

} // namespace forkfleet::test
