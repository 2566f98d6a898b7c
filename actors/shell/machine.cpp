// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/machine.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <filesystem>
#include <ifaddrs.h>
#include <memory>
#include <netinet/in.h>
#include <sstream>
#include <sys/socket.h>
#include <unistd.h>

namespace forkfleet::shell {
namespace {

std::string address_text(const sockaddr* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* bytes = nullptr;
  if (address->sa_family == AF_INET)
    bytes = &reinterpret_cast<const sockaddr_in*>(address)->sin_addr;
  else if (address->sa_family == AF_INET6)
    bytes = &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
  if (bytes == nullptr
      || inet_ntop(address->sa_family, bytes, text.data(), text.size())
           == nullptr)
    return "";
  return text.data();
}

std::string_view first_label(std::string_view name) {
  return name.substr(0, name.find('.'));
}

bool is_program(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored)
         && access(path.c_str(), X_OK) == 0;
}

} // namespace

machine this_machine() {
  machine result;
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) == 0)
    result.hostname = name.data();
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0)
    return result;
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner{list, freeifaddrs};
  for (const auto* x = list; x != nullptr; x = x->ifa_next)
    if (x->ifa_addr != nullptr)
      if (auto text = address_text(x->ifa_addr); !text.empty())
        result.addresses.push_back(std::move(text));
  return result;
}

bool is_here(std::string_view host, const machine& here) {
  if (host.empty() || host == "localhost" || host.starts_with("127.")
      || host == "::1" || host == "0.0.0.0" || host == "::")
    return true;
  const auto& known = here.addresses;
  if (std::find(known.begin(), known.end(), host) != known.end())
    return true;
  if (here.hostname.empty())
    return false;
  // A short name matches a long one; two long names must be the same.
  const bool one_is_short = host.find('.') == std::string_view::npos
                            || here.hostname.find('.') == std::string::npos;
  return host == here.hostname
         || (one_is_short && first_label(host) == first_label(here.hostname));
}

std::string own_path() {
  std::error_code problem;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", problem);
  return problem ? "" : path.string();
}

expected<std::string> find_program(const std::string& name,
                                   const config::environment& env) {
  std::vector<std::filesystem::path> places;
  const auto chosen = env("FORKFLEET_BIN").value_or("");
  if (!chosen.empty())
    places.emplace_back(chosen);
  if (const auto own = own_path(); !own.empty())
    places.push_back(std::filesystem::path{own}.parent_path());
  std::istringstream path{env("PATH").value_or("/usr/bin:/bin")};
  for (std::string place; std::getline(path, place, ':');)
    if (!place.empty())
      places.emplace_back(place);
  for (const auto& place : places)
    if (is_program(place / name))
      return (place / name).string();
  return fail(ec::invalid_request,
              "the program " + name
                + " is neither beside forkfleet nor in PATH; install it or "
                  "name its directory in FORKFLEET_BIN");
}

} // namespace forkfleet::shell
