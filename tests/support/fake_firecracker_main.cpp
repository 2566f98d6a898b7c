// SPDX-License-Identifier: Apache-2.0
// The fake as a program that is started in Firecracker's place. Its version
// is the end of its own name: firecracker-1.12.0. One whose name has "dying" in
// it ends a moment after it has loaded a snapshot.
#include <cstdio>
#include <string>
#include <string_view>

#include "tests/support/fake_firecracker.hpp"

using namespace forkfleet;

namespace {

constexpr std::string_view dying_word = "dying";
constexpr const char* version_otherwise = "1.12.0";
constexpr int exit_wrong_arguments = 153;

std::string version_of(const std::string& name) {
  const auto dash = name.rfind('-');
  const auto text = dash == std::string::npos ? "" : name.substr(dash + 1);
  return firecracker::parse_version(text) ? text : version_otherwise;
}

int refuse(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  return exit_wrong_arguments;
}

} // namespace

int main(int argc, char** argv) {
  auto path = std::string{"/run/firecracker.socket"};
  auto id = std::string{"anonymous-instance"};
  for (int i = 1; i < argc; ++i) {
    const auto name = std::string{argv[i]};
    if (name == "--no-seccomp")
      continue;
    const bool has_value = i + 1 < argc;
    if (name == "--api-sock" && has_value)
      path = argv[++i];
    else if (name == "--id" && has_value)
      id = argv[++i];
    else if ((name == "--log-path" || name == "--level") && has_value)
      ++i;
    else
      return refuse("Arguments parsing error: Found argument '" + name
                    + "' which wasn't expected, or isn't valid in this "
                      "context.");
  }
  const auto version = firecracker::parse_version(version_of(argv[0]));
  auto server = test::fake_http::listen(path);
  if (!server)
    return refuse("Failed to open the API socket: " + server.error().message);
  auto vm = test::fake_firecracker{*version, id};
  vm.has_output();
  if (std::string_view{argv[0]}.find(dying_word) != std::string_view::npos)
    vm.end_after_load();
  server->run([&vm](const auto& request) { return vm.answer(request); });
  return vm.exit_code();
}
