#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# docs/security.md against the tree: every file that it names is there, every test and every story is in the file that it is
# said to be in, and every figure is the one of the code.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top" || exit 1
exec perl -w - docs/security.md <<'PERL'
use strict;

my ($passed, $failed, $line_number) = (0, 0, 0);

sub check {
        my ($holds, $words) = @_;
        if ($holds) { $passed++ } else { $failed++; print "NOT OK: docs/security.md:$line_number: $words\n" }
}

sub text_of {
        my ($file) = @_;
        open my $f, '<', $file or return '';
        local $/;
        my $text = <$f>;
        return $text;
}

# A story that is told: in quotation marks, and in no comment.
sub tells {
        my ($text, $story) = @_;
        $text =~ s/^\s*#.*//mg;
        return scalar $text =~ m/"[^"\n]*\Q$story\E/;
}

sub runs {
        my ($text, $test) = @_;
        return scalar $text =~ m/\b(?:\w*TEST\w*|cmocka_unit_test\w*|STORY|story|in_\w+|t)\(\s*$test\b/;
}

# "(64 * MIB)", "900", "(30 * 60 * USEC_PER_SEC)": a number, of bytes, of microseconds, or of whatever; undef: none.
sub value_of {
        my ($definition) = @_;
        my %units = (KIB => 1024, MIB => 1024 ** 2, USEC_PER_MSEC => 1e3, USEC_PER_SEC => 1e6);
        $definition =~ s{/\*.*}{};
        $definition =~ s/\b([A-Z_]+)\b/$units{$1} \/\/ '?'/ge;
        $definition =~ s/(?<=\d)[uU]\b//g;
        return $definition =~ m/^[\d\s()*+]+$/ ? eval $definition : undef;
}

sub figure_of {
        my ($text, $is_time) = @_;
        my ($number, $unit) = $text =~ m/^(\d+)(?: (\w+))?$/ or return;
        my %units = (KiB => 1024, MiB => 1024 ** 2, s => $is_time ? 1e6 : 1, min => $is_time ? 60e6 : 60);
        return $number * (defined $unit ? $units{$unit} // return : 1);
}

# A row of a table, or a paragraph: what is named in it belongs together.
my (@units, $goes_on);
while (my $line = <>) {
        chomp $line;
        if ($goes_on && $line =~ m/^[^|#\s-]|^  \S/) {
                $units[-1][1] .= " $line" =~ s/ +/ /r;
        } else {
                push @units, [$., $line];
        }
        $goes_on = $line =~ m/^[^|#]/;
}

my $section = '';
for my $unit (@units) {
        my ($file, $line);
        ($line_number, $line) = @$unit;
        # In the order of the text: `file`, then `test_…` and "stories" of it.
        while ($line =~ m/`([^`]+)`|"([^"]+)"/g) {
                my ($code, $story) = ($1, $2);
                if (defined $story) {
                        check(defined $file && tells(text_of($file), $story),
                              "\"$story\" is not in " . ($file // 'any file'));
                } elsif ($code =~ m{^(?:core|io|show|engine|daemon|client|web|fleet|tests|docs|systemd|conf|udev|debian)/\S+$}) {
                        $file = $code;
                        check(-f $file, "$file is not there");
                } elsif ($code =~ m/^test_\w+$/) {
                        check(defined $file && runs(text_of($file), $code),
                              "$code is not run by " . ($file // 'any file'));
                }
        }
        $section = $1 if $line =~ m/^## (.*)/;
        next unless $section eq 'Figures' && $line =~ m/^\|/ && $line !~ m/^\|(?:-+\|)+$|^\| what \|/;
        my ($figure, $name, $where) = $line =~ m/^\| [^|]+ \| ([^|]+) \| `([A-Z_]+)` in `([^`]+)` \|$/;
        check(defined $name, 'expected "| what | figure | `NAME` in `file` |"');
        next unless defined $name;
        my $text = text_of($where);
        $text =~ s/\\\n//g;
        my ($definition) = $text =~ m/^#define\s+\Q$name\E\s+(.*)$/m;
        my $value = value_of($definition // '');
        my $is_time = ($definition // '') =~ m/USEC_/;
        my $said = figure_of($figure, $is_time);
        check(defined $value && defined $said && $value == $said,
              "$name is " . ($value // 'not a number') . " in $where, and $figure here");
}
print "$passed passed, $failed failed\n";
exit($failed > 0 || $passed < 100);
PERL
