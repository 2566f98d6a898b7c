// SPDX-License-Identifier: Apache-2.0
#include "config/load.hpp"

#include <cstdlib>
#include <filesystem>

#include "actors/schema/json_schema.hpp"
#include "config/check.hpp"
#include "config/problem_list.hpp"
#include "config/resolve.hpp"
#include "config/source_text.hpp"
#include "config/yaml_decode.hpp"

namespace forkfleet::config {

namespace {

std::string directory_of(const std::string& path) {
  std::error_code error;
  const auto absolute = std::filesystem::absolute(path, error);
  return error ? std::string{"/"} : absolute.parent_path().string();
}

} // namespace

std::optional<std::string> process_environment(const std::string& name) {
  const auto* value = std::getenv(name.c_str());
  if (value == nullptr)
    return std::nullopt;
  return value;
}

load_result load(const std::string& path, const environment& env) {
  const auto text = read_text(path);
  if (text)
    return load_text(*text, path, env);
  problem_list problems{path};
  problems.add("", {}, text.error());
  return {{}, std::move(problems).sorted()};
}

load_result load_text(std::string_view text, const std::string& path,
                      const environment& env) {
  problem_list problems{path};
  fleet_file fleet;
  const auto places =
    decode_yaml(text, schema::shape_of<fleet_file>(), &fleet, env, problems);
  // Without places there is no document, and nothing else to say about it.
  if (!places.empty()) {
    resolve(fleet, directory_of(path), env, places, problems);
    check(fleet, places, problems);
  }
  if (!problems.empty())
    return {{}, std::move(problems).sorted()};
  return {std::move(fleet), {}};
}

std::string schema_text() {
  return schema::dump(schema::json_schema<fleet_file>({.yaml = true}), 2)
         + "\n";
}

} // namespace forkfleet::config
