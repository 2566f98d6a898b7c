// SPDX-License-Identifier: Apache-2.0
#include "config/verb_path.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "actors/schema/nearest.hpp"

namespace forkfleet::config {

namespace {

using schema::in_quotes;

std::string with_word(const std::string& path, const std::string& word) {
  return path.empty() ? word : path + " " + word;
}

const verb_entry* verb_at(const command_line& program,
                          const std::string& path) {
  for (const auto& each : program.verbs)
    if (each.path == path)
      return &each;
  return nullptr;
}

bool is_prefix(const command_line& program, const std::string& path) {
  return std::any_of(
    program.verbs.begin(), program.verbs.end(),
    [&path](const auto& each) { return each.path.starts_with(path + " "); });
}

/// The words that may follow `path`.
std::vector<std::string_view> words_after(const command_line& program,
                                          const std::string& path) {
  std::set<std::string_view> result;
  const auto start = path.empty() ? "" : path + " ";
  for (const auto& each : program.verbs)
    if (!each.is_hidden && each.path.starts_with(start)) {
      const auto tail = std::string_view{each.path}.substr(start.size());
      result.insert(tail.substr(0, tail.find(' ')));
    }
  return {result.begin(), result.end()};
}

/// Whether the word after `word` is its value.
bool takes_next(const option_list& options, const std::string& word) {
  for (const auto* each : options) {
    if (each->kind == value_kind::flag)
      continue;
    if (word == "--" + each->name)
      return true;
    // The last of a run of short options may take a value: -vo json.
    const bool is_short = word.size() > 1 && word[1] != '-';
    if (is_short && each->letter != '\0' && word.back() == each->letter
        && word.find(each->letter, 1) == word.size() - 1)
      return true;
  }
  return false;
}

bool is_known_before_verb(const option_list& options, const std::string& word) {
  const auto name = word.substr(0, word.find('='));
  return std::any_of(options.begin(), options.end(), [&](const auto* each) {
    const bool is_long = name == "--" + each->name;
    const bool is_short =
      each->letter != '\0' && word.size() > 1 && word[1] == each->letter;
    return is_long || is_short;
  });
}

/// Walks over the words once.
class search {
public:
  search(const command_line& program, const std::vector<std::string>& words)
    : program_{program}, words_{words} {
    result_.verb = verb_at(program, "");
    closed_ = result_.verb != nullptr && program.verbs.size() == 1;
  }

  tl::expected<found_verb, early_end> run() {
    for (std::size_t i = 0; i < words_.size(); ++i) {
      const auto& word = words_[i];
      if (word == "--") {
        keep(i, words_.size());
        break;
      }
      if (word.size() > 1 && word.front() == '-') {
        const auto last = option(i);
        if (!last)
          return tl::unexpected{last.error()};
        i = *last;
      } else if (auto problem = plain(word); !problem.empty()) {
        return tl::unexpected{error(problem)};
      }
    }
    return end();
  }

private:
  using index = tl::expected<std::size_t, early_end>;

  void keep(std::size_t from, std::size_t to) {
    result_.rest.insert(result_.rest.end(),
                        words_.begin() + static_cast<std::ptrdiff_t>(from),
                        words_.begin() + static_cast<std::ptrdiff_t>(to));
  }

  early_end error(std::string_view problem) const {
    return usage_error(program_, result_.verb, problem);
  }

  /// Takes the option at `i`, and returns the index of its last word.
  index option(std::size_t i) {
    const auto& word = words_[i];
    const auto options = options_of(program_, result_.verb);
    if (word == "--help" || word == "-h")
      wants_help_ = true;
    else if (word == "--version" && !program_.version.empty())
      wants_version_ = true;
    else if (result_.verb == nullptr && !wants_help_
             && !is_known_before_verb(options, word))
      return tl::unexpected{error(fmt::format(
        "unknown option {} before the verb{}",
        in_quotes(word.substr(0, word.find('='))), nearest_option(word)))};
    else {
      const auto last = takes_next(options, word) && i + 1 < words_.size();
      keep(i, i + 1 + (last ? 1 : 0));
      return i + (last ? 1 : 0);
    }
    return i;
  }

  std::string nearest_option(const std::string& word) const {
    std::vector<std::string> names;
    for (const auto& each : program_.common)
      names.push_back("--" + each.name);
    const auto best = schema::nearest(word.substr(0, word.find('=')),
                                      {names.begin(), names.end()});
    return best ? fmt::format(" (did you mean '{}'?)", *best)
                : " (options of a verb come after it)";
  }

  /// Takes a word that is no option: part of the path, or an argument.
  std::string plain(const std::string& word) {
    if (path_.empty() && word == "help" && !closed_
        && verb_at(program_, "help") == nullptr) {
      wants_help_ = true;
      return {};
    }
    const auto longer = with_word(path_, word);
    const auto* verb = verb_at(program_, longer);
    const bool goes_on = is_prefix(program_, longer);
    if (!closed_ && (verb != nullptr || goes_on)) {
      path_ = longer;
      result_.verb = verb;
      closed_ = !goes_on;
      return {};
    }
    if (result_.verb == nullptr)
      return fmt::format("unknown verb {}{}", in_quotes(longer), hint(word));
    closed_ = true;
    result_.rest.push_back(word);
    return {};
  }

  std::string hint(const std::string& word) const {
    const auto text = schema::suggestion(word, words_after(program_, path_));
    return text.empty() ? text : " (" + text + ")";
  }

  tl::expected<found_verb, early_end> end() {
    if (wants_version_)
      return tl::unexpected{
        early_end{0, fmt::format("{} {}\n", program_.name, program_.version)}};
    if (wants_help_)
      return tl::unexpected{early_end{0, help(program_, path_)}};
    if (result_.verb == nullptr && path_.empty())
      return tl::unexpected{early_end{usage_exit_code, help(program_)}};
    if (result_.verb == nullptr)
      return tl::unexpected{
        error(fmt::format("'{}' needs one more word{}", path_, hint("")))};
    return std::move(result_);
  }

  const command_line& program_;
  const std::vector<std::string>& words_;
  found_verb result_ = {};
  std::string path_ = {};
  bool closed_ = false; // the path is complete; all that follows is arguments
  bool wants_help_ = false;
  bool wants_version_ = false;
};

} // namespace

option_list common_options_of(const command_line& program,
                              const verb_entry* verb) {
  const auto is_own = [verb](const option& common) {
    return verb != nullptr
           && std::ranges::any_of(verb->options, [&common](const option& own) {
                return own.name == common.name;
              });
  };
  option_list result;
  for (const auto& each : program.common)
    if (!is_own(each))
      result.push_back(&each);
  return result;
}

option_list options_of(const command_line& program, const verb_entry* verb) {
  option_list result;
  if (verb != nullptr)
    for (const auto& each : verb->options)
      result.push_back(&each);
  for (const auto& each : common_options_of(program, verb))
    result.push_back(each);
  return result;
}

tl::expected<found_verb, early_end>
find_verb(const command_line& program, const std::vector<std::string>& words) {
  return search{program, words}.run();
}

} // namespace forkfleet::config
