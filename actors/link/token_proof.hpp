// SPDX-License-Identifier: Apache-2.0
// Tokens: secrets in files by which both sides of a loopback connection
// prove themselves, without either sending what it knows. The bytes of the
// exchange; knows neither sockets nor CAF.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "actors/access.hpp"
#include "actors/error.hpp"

namespace forkfleet {

/// What a token's file holds: "forkfleet-token-1 NAME ROLE SECRET".
struct access_token {
  std::string name = {};
  access_role role = access_role::none;
  /// 64 hex digits.
  std::string secret = {};
};

inline constexpr std::size_t token_name_max = 63;
inline constexpr std::size_t token_proof_size = 32;
inline constexpr std::size_t token_nonce_size = 32;

/// Who dials begins: a mark, the token's name, a nonce.
inline constexpr std::string_view token_mark = "FFTOKEN1";
inline constexpr std::size_t token_hello_size =
  token_mark.size() + token_name_max + 1 + token_nonce_size;
/// Who accepts answers: a nonce and his proof. Then the dialler's proof.
inline constexpr std::size_t token_answer_size =
  token_nonce_size + token_proof_size;

/// The file `directory`/`name`.token.
std::string token_path(const std::string& directory, std::string_view name);

/// Makes a token with a fresh secret as a new file of mode 0600 in
/// `directory`, which is made 0700 where it is missing. Returns the path.
/// invalid_request for a name that is none, and when there is one.
expected<std::string> make_token(const std::string& directory,
                                 std::string_view name, access_role role);

/// Reads one. Refused when others than its owner can read the file, when it
/// is nobody's token, or no regular file.
expected<access_token> read_token(const std::string& path);

/// One connection's exchange. Both sides make it of the same five texts, or
/// the proofs differ: also when somebody in between passes on what each says,
/// because the two ends of his connections have other addresses.
struct token_exchange {
  std::string_view secret = {};
  std::string_view name = {};
  std::string_view dialler_nonce = {};
  std::string_view listener_nonce = {};
  /// "ADDRESS:PORT ADDRESS:PORT", the dialler's first.
  std::string_view endpoints = {};
};

enum class token_side : uint8_t { dialler, listener };

/// HMAC-SHA256 over all of it and the side that proves.
std::string prove(const token_exchange& x, token_side who);

/// Compares in constant time.
bool is_proof(const token_exchange& x, token_side who, std::string_view proof);

/// Fresh random bytes; empty when the system has none.
std::string random_bytes(std::size_t count);

} // namespace forkfleet
