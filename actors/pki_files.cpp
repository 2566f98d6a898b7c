// SPDX-License-Identifier: Apache-2.0
#include "actors/pki_files.hpp"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "actors/link/owned_fd.hpp"

namespace forkfleet::pki {

namespace {

namespace fs = std::filesystem;

using file_ptr = std::unique_ptr<FILE, freed_by<std::fclose>>;
using text_ptr = std::unique_ptr<BIO, freed_by<BIO_free_all>>;

template <class Read>
auto read_pem(const fs::path& path, Read read)
  -> expected<decltype(read(nullptr))> {
  const auto file = file_ptr{std::fopen(path.c_str(), "re")};
  if (!file)
    return tl::unexpected(
      errno_failure(errno, path.string(), ec::invalid_request));
  auto found = read(file.get());
  ERR_clear_error();
  if (!found)
    return fail(ec::invalid_request, path.string() + ": is no such PEM file");
  return found;
}

} // namespace

tl::unexpected<failure> openssl_failure(const std::string& what) {
  char text[256] = {};
  const auto code = ERR_get_error();
  ERR_clear_error();
  if (code == 0)
    return fail(ec::io_failed, what);
  ERR_error_string_n(code, text, sizeof text);
  return fail(ec::io_failed, what + ": " + text);
}

expected<std::string> pem_of(const EVP_PKEY* key) {
  const auto sink = text_ptr{BIO_new(BIO_s_mem())};
  char* bytes = nullptr;
  if (!sink
      || PEM_write_bio_PKCS8PrivateKey(sink.get(), key, nullptr, nullptr, 0,
                                       nullptr, nullptr)
           != 1)
    return openssl_failure("write a key");
  const auto size = BIO_get_mem_data(sink.get(), &bytes);
  return std::string{bytes, static_cast<std::size_t>(size)};
}

expected<std::string> pem_of(X509* certificate) {
  const auto sink = text_ptr{BIO_new(BIO_s_mem())};
  char* bytes = nullptr;
  if (!sink || PEM_write_bio_X509(sink.get(), certificate) != 1)
    return openssl_failure("write a certificate");
  const auto size = BIO_get_mem_data(sink.get(), &bytes);
  return std::string{bytes, static_cast<std::size_t>(size)};
}

// Makes the file; never touches one that is there.
status write_new(const fs::path& path, const std::string& text, unsigned mode) {
  const auto file = owned_fd{
    ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)};
  if (!file && errno == EEXIST)
    return fail(ec::invalid_request,
                path.string()
                  + ": is there already; remove it first, or "
                    "choose another directory");
  if (!file)
    return tl::unexpected(errno_failure(errno, "create " + path.string()));
  const auto size = static_cast<ssize_t>(text.size());
  if (::fchmod(file.get(), mode) != 0
      || ::write(file.get(), text.data(), text.size()) != size
      || ::fsync(file.get()) != 0)
    return tl::unexpected(errno_failure(errno, "write " + path.string()));
  return {};
}

status make_directory(const fs::path& path) {
  auto error = std::error_code{};
  if (fs::is_directory(path, error))
    return {};
  fs::create_directories(path, error);
  if (!error)
    fs::permissions(path, fs::perms::owner_all, error);
  if (error)
    return fail(ec::io_failed, path.string() + ": " + error.message());
  return {};
}

expected<cert_ptr> read_certificate(const fs::path& path) {
  return read_pem(path, [](FILE* file) {
    return cert_ptr{file == nullptr
                      ? nullptr
                      : PEM_read_X509(file, nullptr, nullptr, nullptr)};
  });
}

expected<key_ptr> read_key(const fs::path& path) {
  // An encrypted key is refused rather than asked a passphrase for.
  const auto no_passphrase = [](char*, int, int, void*) { return -1; };
  return read_pem(path, [&](FILE* file) {
    return key_ptr{file == nullptr ? nullptr
                                   : PEM_read_PrivateKey(
                                     file, nullptr, no_passphrase, nullptr)};
  });
}

} // namespace forkfleet::pki
