// ai 5, whose models have version 2.
import * as ai from 'ai-5'
import { createOpenAI } from 'ai-openai-2'
import { suite } from './ai.mjs'

suite({ ai, createOpenAI, version: 'v2' })
