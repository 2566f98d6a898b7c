// SPDX-License-Identifier: Apache-2.0
#include "actors/signing_key.hpp"

#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "actors/durable_file.hpp"
#include "actors/unique_fd.hpp"

namespace forkfleet {

namespace {

constexpr std::size_t public_bytes = 32;
constexpr std::size_t signature_bytes = 64;
constexpr std::size_t key_file_max = 4096;

template <auto Free>
struct freed_by {
  template <class T>
  void operator()(T* x) const {
    Free(x);
  }
};

using key_object = std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>>;
using digest_context = std::unique_ptr<EVP_MD_CTX, freed_by<EVP_MD_CTX_free>>;
using memory_text = std::unique_ptr<BIO, freed_by<BIO_free_all>>;

tl::unexpected<failure> no_memory() {
  return fail(ec::io_failed, "OpenSSL cannot work with an Ed25519 key");
}

std::string hex_of(const std::vector<uint8_t>& bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string result;
  for (const auto byte : bytes) {
    result += digits[byte >> 4];
    result += digits[byte & 15];
  }
  return result;
}

/// Empty when the text is not so many bytes in lower-case hex.
std::vector<uint8_t> bytes_of(std::string_view text, std::size_t bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  if (text.size() != 2 * bytes)
    return {};
  std::vector<uint8_t> result;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const auto high = digits.find(text[i]);
    const auto low = digits.find(text[i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos)
      return {};
    result.push_back(static_cast<uint8_t>(high << 4 | low));
  }
  return result;
}

const uint8_t* raw(std::string_view text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}

/// Nobody else may have read it.
status check_mode(const std::string& path) {
  struct stat about {};
  if (::lstat(path.c_str(), &about) != 0)
    return tl::unexpected(errno_failure(errno, path, ec::invalid_request));
  if ((about.st_mode & 0077) != 0)
    return fail(ec::not_permitted,
                path
                  + ": others than its owner can read it; make a new key, "
                    "or chmod 600 it if nobody has");
  return {};
}

/// Another program may have made it meanwhile: then nothing is written.
status write_new_key(const std::string& path, const std::string& text) {
  static std::atomic<unsigned> count{0};
  const auto fresh = path + "." + std::to_string(::getpid()) + "-"
                     + std::to_string(++count) + std::string{unfinished_suffix};
  if (auto written = write_durably(fresh, text); !written)
    return written;
  const bool is_linked = ::link(fresh.c_str(), path.c_str()) == 0;
  const int error = errno;
  ::unlink(fresh.c_str());
  if (!is_linked && error != EEXIST)
    return tl::unexpected(errno_failure(error, path));
  return {};
}

} // namespace

struct signing_key::parts {
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key{nullptr,
                                                          EVP_PKEY_free};
};

signing_key::signing_key(std::unique_ptr<parts> own) : own_{std::move(own)} {
  std::vector<uint8_t> bytes(public_bytes);
  auto size = bytes.size();
  if (EVP_PKEY_get_raw_public_key(own_->key.get(), bytes.data(), &size) == 1)
    public_ = hex_of(bytes);
}

signing_key::~signing_key() = default;

expected<signing_key_ptr> signing_key::make() {
  auto own = std::make_unique<parts>();
  own->key.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  if (!own->key)
    return no_memory();
  return signing_key_ptr{new signing_key(std::move(own))};
}

expected<signing_key_ptr> signing_key::load(const std::string& path) {
  if (auto good = check_mode(path); !good)
    return tl::unexpected<failure>(good.error());
  const auto text = read_small_file(path, key_file_max);
  if (!text)
    return tl::unexpected<failure>(text.error());
  const auto source =
    memory_text{BIO_new_mem_buf(text->data(), static_cast<int>(text->size()))};
  const auto no_passphrase = [](char*, int, int, void*) { return -1; };
  auto own = std::make_unique<parts>();
  if (source)
    own->key.reset(
      PEM_read_bio_PrivateKey(source.get(), nullptr, no_passphrase, nullptr));
  if (!own->key || EVP_PKEY_get_id(own->key.get()) != EVP_PKEY_ED25519)
    return fail(ec::invalid_request, path + ": holds no Ed25519 key");
  return signing_key_ptr{new signing_key(std::move(own))};
}

expected<signing_key_ptr> signing_key::load_or_make(const std::string& path) {
  if (::access(path.c_str(), F_OK) == 0)
    return load(path);
  if (errno != ENOENT)
    return tl::unexpected(errno_failure(errno, path));
  const auto fresh = make();
  if (!fresh)
    return fresh;
  const auto text = (*fresh)->pem();
  if (!text)
    return tl::unexpected<failure>(text.error());
  if (auto written = write_new_key(path, *text); !written)
    return tl::unexpected<failure>(written.error());
  return load(path);
}

expected<std::string> signing_key::sign(std::string_view text) const {
  const auto context = digest_context{EVP_MD_CTX_new()};
  std::vector<uint8_t> bytes(signature_bytes);
  auto size = bytes.size();
  if (!context
      || EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr,
                            own_->key.get())
           != 1
      || EVP_DigestSign(context.get(), bytes.data(), &size, raw(text),
                        text.size())
           != 1
      || size != bytes.size())
    return no_memory();
  return hex_of(bytes);
}

expected<std::string> signing_key::pem() const {
  const auto sink = memory_text{BIO_new(BIO_s_mem())};
  char* bytes = nullptr;
  if (!sink
      || PEM_write_bio_PKCS8PrivateKey(sink.get(), own_->key.get(), nullptr,
                                       nullptr, 0, nullptr, nullptr)
           != 1)
    return no_memory();
  const auto size = BIO_get_mem_data(sink.get(), &bytes);
  return std::string{bytes, static_cast<std::size_t>(size)};
}

bool is_signed_by(const std::string& public_key, std::string_view text,
                  const std::string& signature) {
  const auto key_bytes = bytes_of(public_key, public_bytes);
  const auto bytes = bytes_of(signature, signature_bytes);
  if (key_bytes.empty() || bytes.empty())
    return false;
  const auto key = key_object{EVP_PKEY_new_raw_public_key(
    EVP_PKEY_ED25519, nullptr, key_bytes.data(), key_bytes.size())};
  const auto context = digest_context{EVP_MD_CTX_new()};
  return key && context
         && EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr,
                                 key.get())
              == 1
         && EVP_DigestVerify(context.get(), bytes.data(), bytes.size(),
                             raw(text), text.size())
              == 1;
}

bool is_public_key(std::string_view text) {
  return !bytes_of(text, public_bytes).empty();
}

} // namespace forkfleet
