// SPDX-License-Identifier: Apache-2.0
#include "actors/certificate.hpp"

#include <ctime>
#include <memory>

#include <openssl/bn.h>
#include <openssl/crypto.h>

namespace forkfleet {

namespace {

constexpr std::string_view client_mark = "client:";

/// The one entry of this kind; empty when there is none, or when there are
/// several and nobody can tell which one counts.
std::string only_entry(const X509_NAME* name, int kind) {
  const auto first = X509_NAME_get_index_by_NID(name, kind, -1);
  if (first < 0 || X509_NAME_get_index_by_NID(name, kind, first) >= 0)
    return {};
  const auto* entry = X509_NAME_get_entry(name, first);
  unsigned char* bytes = nullptr;
  const auto size =
    ASN1_STRING_to_UTF8(&bytes, X509_NAME_ENTRY_get_data(entry));
  if (size < 0)
    return {};
  auto text = std::string(reinterpret_cast<const char*>(bytes),
                          static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  // It would read as its beginning elsewhere.
  return text.find('\0') == text.npos ? text : std::string{};
}

std::string serial_of(const X509* certificate) {
  const auto number = std::unique_ptr<BIGNUM, void (*)(BIGNUM*)>{
    ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr), BN_free};
  if (!number)
    return {};
  auto* text = BN_bn2hex(number.get());
  auto result = std::string{text == nullptr ? "" : text};
  OPENSSL_free(text);
  return result;
}

access_role role_in(const std::string& unit) {
  const auto role = access_role_of(unit);
  return role == access_role::none ? access_role::viewer : role;
}

std::chrono::system_clock::time_point end_of(const X509* certificate) {
  auto parts = std::tm{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &parts) != 1)
    return {};
  return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

} // namespace

certificate_facts facts_of(X509* certificate) {
  const auto* name = X509_get_subject_name(certificate);
  auto result =
    certificate_facts{.subject = {.name = only_entry(name, NID_commonName),
                                  .serial = serial_of(certificate)},
                      .until = end_of(certificate)};
  if (result.subject.name.starts_with(client_mark))
    result.subject.role = role_in(only_entry(name, NID_organizationalUnitName));
  return result;
}

} // namespace forkfleet
