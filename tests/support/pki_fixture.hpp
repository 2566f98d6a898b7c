// SPDX-License-Identifier: Apache-2.0
// Certificates for tests, made by the product's own functions in a directory
// that is removed at the end.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <openssl/x509.h>

#include "actors/pki.hpp"

namespace forkfleet::test {

/// An authority and what it issued.
class authority {
public:
  authority();
  ~authority();
  authority(const authority&) = delete;
  authority& operator=(const authority&) = delete;

  /// Where `ca.crt` and `ca.key` lie.
  const std::filesystem::path& path() const { return path_; }

  /// A coordinator's certificate; valid for `left`, which may be negative.
  tls_material coordinator(
    const std::vector<std::string>& hosts = {"127.0.0.1", "localhost"},
    pki::days left = pki::days{7});
  tls_material node(const std::string& host, pki::days left = pki::days{7});
  tls_material client(const std::string& name,
                      access_role access = access_role::admin);

  /// A client's certificate whose name is none of ours.
  tls_material foreign_name(const std::string& name);
  /// A client's certificate that expires in so long.
  tls_material expiring_client(const std::string& name,
                               std::chrono::seconds left);

private:
  tls_material issue(pki::issue_request what);
  /// The same certificate, changed and signed by us once more.
  tls_material sign_again(tls_material files,
                          const std::function<void(X509*)>& change) const;

  std::filesystem::path path_;
  int issued_ = 0;
};

} // namespace forkfleet::test
