// SPDX-License-Identifier: Apache-2.0
// Keys and certificates as OpenSSL objects and as PEM files.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "actors/error.hpp"

namespace forkfleet::pki {

/// Frees by a C function.
template <auto Free>
struct freed_by {
  template <class T>
  void operator()(T* x) const {
    Free(x);
  }
};

using key_ptr = std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>>;
using cert_ptr = std::unique_ptr<X509, freed_by<X509_free>>;

/// OpenSSL's latest complaint about `what`.
tl::unexpected<failure> openssl_failure(const std::string& what);

/// As PEM text; the key is not encrypted.
expected<std::string> pem_of(const EVP_PKEY* key);
expected<std::string> pem_of(X509* certificate);

/// Makes the file with exactly `mode`; invalid_request when there is one.
status write_new(const std::filesystem::path& path, const std::string& text,
                 unsigned mode);

/// Makes the directory (0700) where it is missing.
status make_directory(const std::filesystem::path& path);

/// invalid_request names the file that is missing or that is no PEM file. An
/// encrypted key is refused.
expected<cert_ptr> read_certificate(const std::filesystem::path& path);
expected<key_ptr> read_key(const std::filesystem::path& path);

} // namespace forkfleet::pki
