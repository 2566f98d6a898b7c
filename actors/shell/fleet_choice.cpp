// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/fleet_choice.hpp"

#include <filesystem>
#include <fstream>

namespace forkfleet::shell {
namespace {

constexpr const char* default_file = "fleet.yaml";

/// How many of the three files are named.
int count(const config::tls_files& tls) {
  return static_cast<int>(!tls.authority.empty())
         + static_cast<int>(!tls.certificate.empty())
         + static_cast<int>(!tls.key.empty());
}

expected<fleet_choice> by_options(const fleet_options& options) {
  if (!options.coordinator)
    return fleet_choice{.path = options.fleet};
  if (!options.fleet.empty())
    return fail(ec::invalid_request, "give --fleet or --coordinator, not both");
  const int files = count(options.tls);
  if (files != 0 && files != 3)
    return fail(ec::invalid_request, "give all of --tls-authority, "
                                     "--tls-certificate and --tls-key");
  if (files == 0 && !options.coordinator->is_loopback())
    return fail(ec::invalid_request,
                "the coordinator " + options.coordinator->to_string()
                  + " is not on this machine: give --tls-authority, "
                    "--tls-certificate and --tls-key, made by forkfleet pki");
  if (files != 0 && !options.token.empty())
    return fail(ec::invalid_request,
                "give --token or certificates, not both: a token is for a "
                "loopback port");
  return fleet_choice{.coordinator = *options.coordinator, .tls = options.tls};
}

} // namespace

file_view real_files() {
  const auto exists = [](const std::string& path) {
    std::error_code ignored;
    return std::filesystem::is_regular_file(path, ignored);
  };
  const auto first_line = [](const std::string& path) {
    std::ifstream file{path};
    std::string line;
    std::getline(file, line);
    return line;
  };
  return {exists, first_line};
}

namespace {

expected<fleet_choice> choose(const fleet_options& options,
                              const config::environment& env,
                              const file_view& files) {
  if (count(options.tls) != 0 && !options.coordinator)
    return fail(ec::invalid_request,
                "--tls-authority, --tls-certificate and --tls-key go with "
                "--coordinator; a fleet file names its own as client_tls");
  if (!options.fleet.empty() || options.coordinator)
    return by_options(options);
  if (auto named = env("FORKFLEET_FLEET").value_or(""); !named.empty())
    return fleet_choice{.path = std::move(named)};
  if (files.exists(default_file))
    return fleet_choice{.path = default_file};
  const auto context = context_path(env);
  auto last = context.empty() ? "" : files.first_line(context);
  if (!last.empty() && files.exists(last))
    return fleet_choice{.path = std::move(last)};
  return fail(ec::invalid_request,
              "which fleet? Give --fleet FILE or --coordinator HOST:PORT, set "
              "FORKFLEET_FLEET, or start one with forkfleet up FILE");
}

} // namespace

expected<fleet_choice> choose_fleet(const fleet_options& options,
                                    const config::environment& env,
                                    const file_view& files) {
  auto chosen = choose(options, env, files);
  if (!chosen)
    return chosen;
  chosen->token = options.token;
  if (options.token.empty() && count(options.tls) == 0)
    chosen->token = env("FORKFLEET_TOKEN").value_or("");
  return chosen;
}

std::string context_path(const config::environment& env) {
  auto base = env("XDG_STATE_HOME").value_or("");
  if (base.empty() || base.front() != '/') {
    const auto home = env("HOME").value_or("");
    if (home.empty())
      return "";
    base = home + "/.local/state";
  }
  // A fleet's name holds no dot, so its directory cannot have this name.
  return base + "/forkfleet/current.fleet";
}

status remember_fleet(const std::string& path, const config::environment& env) {
  const auto context = context_path(env);
  if (context.empty())
    return {};
  std::error_code problem;
  std::filesystem::create_directories(
    std::filesystem::path{context}.parent_path(), problem);
  const auto fresh = context + ".new";
  std::ofstream file{fresh, std::ios::trunc};
  file << path << '\n';
  file.close();
  if (file)
    std::filesystem::rename(fresh, context, problem);
  if (!file || problem)
    return fail(ec::io_failed,
                context + ": the fleet started last cannot be noted");
  return {};
}

} // namespace forkfleet::shell
