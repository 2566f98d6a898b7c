// SPDX-License-Identifier: Apache-2.0
// The fleet's signing key: Ed25519, one for all of a fleet, with which its
// nodes vouch for what they sealed. A file that only its owner reads; it is
// made where it is missing, and needs no configuration. Knows no CAF.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "actors/error.hpp"

namespace forkfleet {

/// Its name in the directory of a certificate authority, beside a node's
/// certificate, and in a fleet's directory of state.
inline constexpr const char* signing_key_file = "signing.key";

/// A private key. Constant; may be used by several threads.
class signing_key {
public:
  ~signing_key();
  signing_key(const signing_key&) = delete;
  signing_key& operator=(const signing_key&) = delete;

  /// Makes one that nobody has.
  static expected<std::shared_ptr<const signing_key>> make();

  /// Reads a PEM file. not_permitted when others than its owner can read it,
  /// invalid_request when it holds no such key.
  static expected<std::shared_ptr<const signing_key>>
  load(const std::string& path);

  /// Reads the file, or makes it (0600) with a new key where there is none.
  /// Several programs may do so at once: all get the same key.
  static expected<std::shared_ptr<const signing_key>>
  load_or_make(const std::string& path);

  /// The public half: 64 hex digits.
  const std::string& public_key() const { return public_; }

  /// The signature of `text`: 128 hex digits.
  expected<std::string> sign(std::string_view text) const;

  /// The key as PEM text, not encrypted.
  expected<std::string> pem() const;

private:
  struct parts;
  explicit signing_key(std::unique_ptr<parts> own);

  std::unique_ptr<parts> own_;
  std::string public_;
};

using signing_key_ptr = std::shared_ptr<const signing_key>;

/// Whether the signature of `text` was made by the private half of
/// `public_key`; false also where one of them is none.
bool is_signed_by(const std::string& public_key, std::string_view text,
                  const std::string& signature);

/// Whether the text is a public key as it is written here.
bool is_public_key(std::string_view text);

} // namespace forkfleet
