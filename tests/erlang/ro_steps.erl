%% SPDX-License-Identifier: Apache-2.0
%% Copyright the Tollgate authors
%%
%% Reads a table of steps: one request a line, and what its answer must hold.
%% tests/e2e/steps.py describes the format; tests/freediameter reads the same files.
-module(ro_steps).
-export([read/1, unit/1]).

%% Returns [{Request :: map(), Expected :: map()}]; keys are atoms, values binaries as written.
read(File) ->
    {ok, Text} = file:read_file(File),
    Lines = binary:split(Text, <<"\n">>, [global]),
    [step(Tokens) || Line <- Lines, Tokens <- [tokens(Line)], Tokens =/= []].

tokens(Line) ->
    [Said | _] = binary:split(Line, <<"#">>),
    binary:split(Said, [<<" ">>], [global, trim_all]).

step(Tokens) ->
    {Request, Expected} = lists:splitwith(fun(Token) -> Token =/= <<"->">> end, Tokens),
    {pairs(Request), pairs(tl(Expected))}.

pairs(Tokens) ->
    maps:from_list([pair(Token) || Token <- Tokens]).

pair(Token) ->
    [Key, Value] = binary:split(Token, <<"=">>),
    {binary_to_atom(Key), Value}.

%% <<"octets:1000">> -> {octets, 1000}; <<"any">> -> any: an empty Requested-Service-Unit.
unit(<<"any">>) -> any;
unit(Text) ->
    [Kind, Count] = binary:split(Text, <<":">>),
    {binary_to_existing_atom(Kind), binary_to_integer(Count)}.
