// SPDX-License-Identifier: Apache-2.0
#include "actors/link/token_proof.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sstream>
#include <sys/stat.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "actors/durable_file.hpp"
#include "actors/ids.hpp"
#include "actors/pki_files.hpp"
#include "actors/unique_fd.hpp"

namespace forkfleet {

namespace {

constexpr std::string_view file_mark = "forkfleet-token-1";
constexpr std::size_t file_size_max = 512;
constexpr std::size_t secret_bytes = 32;
constexpr std::string_view hex_digits = "0123456789abcdef";

std::string in_hex(std::string_view bytes) {
  auto text = std::string{};
  for (const auto c : bytes) {
    const auto value = static_cast<unsigned char>(c);
    text += hex_digits[value >> 4];
    text += hex_digits[value & 0x0F];
  }
  return text;
}

tl::unexpected<failure> refuse(const std::string& path,
                               const std::string& why) {
  return fail(ec::invalid_request, path + ": " + why);
}

/// A length before each text: no two exchanges are the same bytes.
void append(std::string& to, std::string_view text) {
  to += std::to_string(text.size());
  to += ':';
  to += text;
}

bool is_secret(std::string_view text) {
  return text.size() == 2 * secret_bytes
         && text.find_first_not_of(hex_digits) == text.npos;
}

} // namespace

std::string token_path(const std::string& directory, std::string_view name) {
  return directory + "/" + std::string{name} + ".token";
}

expected<std::string> make_token(const std::string& directory,
                                 std::string_view name, access_role role) {
  if (!is_safe_name(name, token_name_max))
    return fail(ec::invalid_request, std::string{name}
                                       + ": is no name of a token (1 to "
                                       + std::to_string(token_name_max)
                                       + " letters, digits, '-' and '_')");
  if (role == access_role::none)
    return fail(ec::invalid_request, "a token needs a role");
  if (auto made = make_directories(directory); !made)
    return tl::unexpected(made.error());
  const auto secret = random_bytes(secret_bytes);
  if (secret.empty())
    return fail(ec::io_failed, "no random bytes for a token");
  auto text = std::string{file_mark} + ' ' + std::string{name} + ' '
              + std::string{schema::name_of(role)} + ' ' + in_hex(secret)
              + '\n';
  const auto path = token_path(directory, name);
  if (auto kept = pki::write_new(path, text, 0600); !kept)
    return tl::unexpected(kept.error());
  return path;
}

expected<access_token> read_token(const std::string& path) {
  const auto file =
    unique_fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  struct stat about = {};
  if (!file || ::fstat(file.get(), &about) != 0)
    return tl::unexpected(errno_failure(
      errno, path, errno == EACCES ? ec::not_permitted : ec::not_ready));
  if (!S_ISREG(about.st_mode))
    return refuse(path, "is no file with a token");
  if ((about.st_mode & 077) != 0)
    return refuse(path, "others than its owner can reach this token; "
                        "`chmod 600` it, and make a new one if they did");
  char bytes[file_size_max] = {};
  const auto size = ::read(file.get(), bytes, sizeof bytes);
  if (size < 0)
    return tl::unexpected(errno_failure(errno, path, ec::invalid_request));
  auto words =
    std::istringstream{std::string{bytes, static_cast<std::size_t>(size)}};
  auto mark = std::string{};
  auto role = std::string{};
  auto result = access_token{};
  words >> mark >> result.name >> role >> result.secret;
  result.role = access_role_of(role);
  if (mark != file_mark || !is_safe_name(result.name, token_name_max)
      || result.role == access_role::none || !is_secret(result.secret))
    return refuse(path, "holds no token; `forkfleet pki token` makes one");
  return result;
}

std::string prove(const token_exchange& x, token_side who) {
  auto text = std::string{};
  append(text, token_mark);
  append(text, who == token_side::dialler ? "dialler" : "listener");
  for (const auto part :
       {x.name, x.dialler_nonce, x.listener_nonce, x.endpoints})
    append(text, part);
  unsigned char proof[EVP_MAX_MD_SIZE] = {};
  auto size = 0u;
  if (HMAC(EVP_sha256(), x.secret.data(), static_cast<int>(x.secret.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(),
           proof, &size)
      == nullptr)
    return {};
  return {reinterpret_cast<const char*>(proof), size};
}

bool is_proof(const token_exchange& x, token_side who, std::string_view proof) {
  const auto expected_proof = prove(x, who);
  return expected_proof.size() == token_proof_size
         && proof.size() == token_proof_size
         && CRYPTO_memcmp(expected_proof.data(), proof.data(), proof.size())
              == 0;
}

std::string random_bytes(std::size_t count) {
  auto bytes = std::string(count, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()),
                 static_cast<int>(count))
      != 1)
    return {};
  return bytes;
}

} // namespace forkfleet
