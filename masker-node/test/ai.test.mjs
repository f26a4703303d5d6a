// ai 6, whose models have version 3.
import * as ai from 'ai'
import { createOpenAI } from '@ai-sdk/openai'
import { suite } from './ai.mjs'

suite({ ai, createOpenAI, version: 'v3' })
